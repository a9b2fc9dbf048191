"""What training did, on small real sessions and on trunks whose attention is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lamo_core.analysis.attention import HeadMass, head_changes, head_masses, uniform_masses
from lamo_core.analysis.forgetting import held_out_words, kept_checkpoints, language_losses
from lamo_core.analysis.movement import movements
from lamo_core.analysis.reliance import reliances
from lamo_core.analysis.start import initial_policy
from lamo_core.analysis.target_sweep import _spearman, target_sweep
from lamo_core.data.windows import WindowBatch
from lamo_core.errors import MissingError, UsageError
from lamo_core.model.backbone import load_backbone
from lamo_core.model.gpt2.trunk import Gpt2Trunk
from lamo_core.model.policy import Policy
from lamo_core.tasks.registry import get_task
from lamo_core.training.checkpoint import build_policy, read_checkpoint
from lamo_core.training.loop import Requests, training_loop
from lamo_core.training.session import Session, new_session
from tests.training.conftest import MakeConfig, make_config, no_evaluation

__all__ = ["make_config"]

CPU = torch.device("cpu")


def trained(session: Session, folder: Path) -> Path:
    """Train to the end and keep every checkpoint."""

    def save(session: Session, best: bool) -> str:
        session.save(folder / "checkpoints" / f"{session.step:06d}.pt")
        return ""

    for _ in training_loop(session, Requests(), no_evaluation, save):
        pass
    return folder / "checkpoints" / f"{session.step:06d}.pt"


def sequence(session: Session) -> Policy:
    assert isinstance(session.learner.policy, Policy)
    return session.learner.policy


@pytest.mark.parametrize(
    "groups",
    [{}, {"model": {"adapter": "full"}}, {"model": {"frames": "scaled"}}, {"model": {"embedding": "linear"}}],
    ids=["lora", "full", "scaled", "linear"],
)
def test_the_beginning_of_a_run_is_found_again(make_config: MakeConfig, groups: dict[str, dict[str, str]]) -> None:
    session = new_session(make_config(**groups))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = initial_policy(session.checkpoint())
    assert torch.equal(before, torch.get_rng_state())
    ours = dict(again.named_parameters())
    for name, parameter in sequence(session).named_parameters():
        assert torch.equal(parameter, ours[name]), name


def test_nothing_has_moved_before_training_and_everything_trained_after(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    session = new_session(make_config())
    start = initial_policy(session.checkpoint())
    still = movements(sequence(session), start)
    assert all(row.relative == 0.0 for row in still)
    checkpoint = read_checkpoint(trained(session, tmp_path))
    policy, _ = build_policy(checkpoint, CPU)
    rows = {row.name: row for row in movements(policy, initial_policy(checkpoint))}
    assert all(row.relative > 0 for name, row in rows.items() if name.startswith(("head", "embed_state")))
    adapters = [row for name, row in rows.items() if name.endswith("(adapter)")]
    assert len(adapters) == 4  # one for each of mini's layers
    for row in adapters:
        assert 0 < row.relative < 1
        assert row.stable_rank is not None
        assert 1 <= row.stable_rank <= 2.001  # the toy's rank is 2


def test_an_adapters_change_is_that_of_the_matrix_it_stands_for(make_config: MakeConfig, tmp_path: Path) -> None:
    policy = sequence(new_session(make_config()))
    layer = policy.trunk.h[0].attn.c_attn  # type: ignore[union-attr, index]
    with torch.no_grad():
        layer.lora_A["default"].weight.zero_()
        layer.lora_B["default"].weight.zero_()
        layer.lora_A["default"].weight[0, 0] = 3.0
        layer.lora_B["default"].weight[0, 0] = 2.0
    rows = {row.name: row for row in movements(policy, policy)}
    row = rows["trunk.h.0.attn.c_attn (adapter)"]
    expected = 6.0 * layer.scale / float(torch.linalg.matrix_norm(layer.base_layer.weight))
    assert row.relative == pytest.approx(expected, rel=1e-5)
    assert row.stable_rank == pytest.approx(1.0)


@pytest.mark.parametrize("return_tokens", ["each", "injected", "latest"])
def test_a_head_that_sees_only_itself_has_the_whole_mass(make_config: MakeConfig, return_tokens: str) -> None:
    session = new_session(make_config(model={"return_tokens": return_tokens}))
    policy = sequence(session)
    batch = session.learner.sampler.sample(6)  # type: ignore[attr-defined]
    masses = head_masses(policy, batch)
    assert {(row.layer, row.head) for row in masses} == {(layer, head) for layer in range(4) for head in range(8)}
    alone = return_tokens != "each"  # the state is all that the newest step has
    assert all(0 < row.newest_token <= row.newest_step < 1 for row in masses)
    assert all((row.newest_token == row.newest_step) == alone for row in masses)
    # keys and queries of nothing attend to all tokens alike
    projection = policy.trunk.h[0].attn.c_attn.base_layer  # type: ignore[union-attr, index]
    with torch.no_grad():
        projection.weight[:, : 2 * policy.width] = 0
        projection.bias[: 2 * policy.width] = 0
    own, step = uniform_masses(batch, policy.state_places)
    first = [row for row in head_masses(policy, batch) if row.layer == 0]
    for row in first:
        assert (row.newest_token, row.newest_step) == (pytest.approx(own, abs=1e-6), pytest.approx(step, abs=1e-6))


def test_measuring_changes_nothing(make_config: MakeConfig) -> None:
    session = new_session(make_config())
    policy = sequence(session).eval()
    batch = session.learner.sampler.sample(3)  # type: ignore[attr-defined]
    with torch.no_grad():
        before = policy(batch)
        head_masses(policy, batch)
        assert torch.equal(before, policy(batch))
    assert isinstance(policy.trunk, Gpt2Trunk)
    assert {layer.tap for layer in policy.trunk.attentions()} == {None}


def test_heads_are_joined_one_by_one() -> None:
    (change,) = head_changes([HeadMass(0, 1, 0.2, 0.3)], [HeadMass(0, 1, 0.6, 0.7)])
    assert (change.token_before, change.token_after, change.step_after) == (0.2, 0.6, 0.7)


def test_a_frozen_trunk_forgets_nothing_and_a_shaken_one_does(make_config: MakeConfig, tmp_path: Path) -> None:
    frozen = new_session(make_config(model={"backbone": "mini", "adapter": "frozen"}))
    path = trained(frozen, tmp_path / "frozen")
    before, *after = language_losses(kept_checkpoints(path))
    assert [point.step for point in (before, *after)] == [0, 3, 6]
    assert all(point.loss == before.loss for point in after)
    shaken = new_session(make_config(model={"backbone": "mini", "adapter": "full"}, optim={"learning_rate": 1e-2}))
    with torch.no_grad():
        for parameter in sequence(shaken).trunk.h.parameters():  # type: ignore[union-attr]
            parameter.add_(0.05 * torch.randn_like(parameter))
    shaken.step = 1
    shaken.save(tmp_path / "shaken.pt")
    start, end = language_losses([tmp_path / "shaken.pt"])
    assert end.loss > start.loss + 0.1
    assert start.loss == before.loss


def test_words_are_held_out_and_the_same_again(tmp_path: Path) -> None:
    backbone = load_backbone("mini")
    words = held_out_words(backbone, None, 0)
    assert words.shape == (16, 128)
    assert torch.equal(words, held_out_words(backbone, None, 0))
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"line {number} of a book about rivers and hills" for number in range(4000)))
    assert held_out_words(backbone, text, 0).shape[1] == 128
    with pytest.raises(MissingError, match="no language that it could forget"):
        held_out_words(load_backbone("random:mini"), None, 0)


def test_checkpoints_of_a_run_are_found_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("000300.pt", "000100.pt", "best.pt", "last.pt"):
        (folder / name).touch()
    numbered = [folder / "000100.pt", folder / "000300.pt"]
    assert kept_checkpoints(folder / "last.pt") == kept_checkpoints(folder / "000300.pt") == numbered
    assert kept_checkpoints(folder / "best.pt") == [*numbered, folder / "best.pt"]
    (tmp_path / "000100.pt").touch()
    assert kept_checkpoints(tmp_path / "000100.pt") == [tmp_path / "000100.pt"]


def test_targets_go_through_the_datas_returns_and_beyond() -> None:
    facts = {"return_min": 10.0, "return_max": 90.0}
    assert target_sweep(facts, 6) == (10.0, 30.0, 50.0, 70.0, 90.0, 110.0)
    assert target_sweep({"return_min": 5.0, "return_max": 5.0}, 4) == (5.0,)


def test_rank_correlation() -> None:
    assert _spearman([1, 2, 3], [10, 20, 15]) == pytest.approx(0.5)
    assert _spearman([1, 2, 3, 4], [1, 1, 5, 5]) == pytest.approx(np.sqrt(0.8))
    assert _spearman([1, 2], [3, 3]) is None


class _Linear:
    """A stand-in for a policy that decides by known weights on its newest state and its earlier actions."""

    context, told_returns = 3, True
    task = get_task("mujoco-hopper")

    def __init__(self, state: float, action: float) -> None:
        self._state, self._action = state, action

    def encode_windows(self, batch: WindowBatch) -> torch.Tensor:
        return batch.observations

    def tokens(self, returns: torch.Tensor, states: torch.Tensor, actions: torch.Tensor, times: torch.Tensor) -> Any:
        return (self._state * states[:, -1] + self._action * actions.mean(1)).unsqueeze(1)

    def run_trunk(self, tokens: torch.Tensor, places: slice) -> tuple[torch.Tensor, None]:
        return tokens[:, places], None

    def act_head(self, hidden: torch.Tensor, returns: torch.Tensor) -> torch.Tensor:
        return hidden


def _windows(count: int, *, padded: int = 0) -> WindowBatch:
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(count, 3, dtype=torch.bool)
    mask[:padded, 2] = False
    parts = [torch.rand(count, 3, 3, generator=generator) / 2 for _ in range(2)]
    return WindowBatch(*parts, torch.rand(count, 3, generator=generator), torch.arange(3).expand(count, 3), mask)


def test_what_decides_nothing_moves_nothing_and_what_decides_all_moves_all() -> None:
    rows = {row.part: row for row in reliances(_Linear(1.0, 0.0), _windows(40))}  # type: ignore[arg-type]
    assert list(rows) == ["newest state", "earlier states", "earlier actions", "return-to-go", "everything"]
    assert rows["newest state"].share == rows["everything"].share == 1.0
    for part in ("earlier states", "earlier actions", "return-to-go"):
        assert rows[part].moved == rows[part].high == rows[part].share == 0.0
    copycat = {row.part: row for row in reliances(_Linear(0.1, 1.0), _windows(40))}  # type: ignore[arg-type]
    assert copycat["earlier actions"].share > 0.9 > 0.5 > copycat["newest state"].share > 0
    assert copycat["earlier actions"].low < copycat["earlier actions"].moved < copycat["earlier actions"].high


def test_padded_windows_swap_nothing() -> None:
    padded = _windows(45, padded=5)
    names = ("observations", "actions", "returns_to_go", "timesteps", "mask")
    kept = WindowBatch(*(getattr(padded, name)[5:] for name in names))
    policy: Any = _Linear(1.0, 1.0)
    assert reliances(policy, padded) == reliances(policy, kept)
    with pytest.raises(UsageError, match="--windows"):
        reliances(_Linear(1.0, 1.0), _windows(3, padded=2))  # type: ignore[arg-type]


@pytest.mark.parametrize("context", [1, 4])
def test_a_real_policys_decisions_on_whole_other_windows_are_theirs(make_config: MakeConfig, context: int) -> None:
    session = new_session(make_config(model={"context": context}))
    policy = sequence(session).eval()
    batch = session.learner.sampler.sample(6)
    full = batch.mask.all(1)
    rows = reliances(policy, batch)
    assert len(rows) == (5 if context > 1 else 3)
    with torch.no_grad():
        decided = policy(batch)[full, -1].softmax(-1)
    distance = (decided - decided.roll(1, 0)).abs().sum(-1) / 2
    assert rows[-1].moved == pytest.approx(float(distance.mean()), rel=1e-4)
