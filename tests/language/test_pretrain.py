"""Pre-training: it learns, it resumes exactly, it refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lamo_core.errors import CheckpointError, LamoError, StorageError, UsageError
from lamo_core.language.muon import orthogonalise
from lamo_core.language.pretrain import make_optimisers, pretrain, rate_share, training_rows
from lamo_core.language.pretrain_events import (
    PretrainConfig,
    PretrainEvent,
    PretrainSaved,
    PretrainStep,
    PretrainStopped,
)
from lamo_core.model.backbone import load_backbone, next_token_loss
from tests.language.conftest import TINY


def _run(text: Path, folder: Path, config: PretrainConfig = TINY, stop_at: int = -1) -> list[PretrainEvent]:
    events: list[PretrainEvent] = []
    for event in pretrain(text, folder, config, stop=lambda: _steps(events) == stop_at):
        events.append(event)
    return events


def _steps(events: list[PretrainEvent]) -> int:
    return sum(isinstance(event, PretrainStep) for event in events)


def _losses(events: list[PretrainEvent]) -> list[float]:
    return [event.loss for event in events if isinstance(event, PretrainStep)]


def test_training_lowers_the_loss_and_leaves_a_model_that_loads(text: Path, tmp_path: Path) -> None:
    events = _run(text, tmp_path / "out", replace(TINY, steps=80))
    losses = _losses(events)
    assert len(losses) == 80
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    saved = [event for event in events if isinstance(event, PretrainSaved)]
    assert saved[-1].held_out_loss < 0.6 * losses[0]
    assert events[-1] == PretrainStopped(80, "finished")
    backbone = load_backbone(str(tmp_path / "out"))
    assert backbone.tokenizer is not None
    ids_T = torch.tensor(backbone.tokenizer.encode("the old sea sailor sings a song of storms").ids)
    assert next_token_loss(backbone, ids_T[None]).item() < 0.8 * losses[0]


def test_resuming_gives_the_same_weights_as_not_stopping(text: Path, tmp_path: Path) -> None:
    whole = _run(text, tmp_path / "whole")
    first = _run(text, tmp_path / "parts", stop_at=7)
    assert first[-1] == PretrainStopped(7, "stop")
    rest = _run(text, tmp_path / "parts")
    assert _losses(first) + _losses(rest) == _losses(whole)
    expected = load_file(tmp_path / "whole" / "model.safetensors")
    for name, value in load_file(tmp_path / "parts" / "model.safetensors").items():
        assert torch.equal(value, expected[name]), name


def test_a_killed_training_goes_on_from_its_last_checkpoint(text: Path, tmp_path: Path) -> None:
    for event in pretrain(text, tmp_path / "out", TINY):
        if isinstance(event, PretrainStep) and event.step == 13:
            break
    events = _run(text, tmp_path / "out")
    assert isinstance(events[0], PretrainStep)
    assert events[0].step == 11


def test_a_finished_training_is_not_trained_on(text: Path, tmp_path: Path) -> None:
    _run(text, tmp_path / "out")
    assert _steps(_run(text, tmp_path / "out")) == 0


def test_a_time_limit_ends_the_schedule(text: Path, tmp_path: Path) -> None:
    events = _run(text, tmp_path / "out", replace(TINY, steps=10**6, time_limit=1e-3))
    assert 0 < _steps(events) < 10**6
    assert events[-1].step == _steps(events)


def test_another_text_or_shape_is_refused(text: Path, tmp_path: Path) -> None:
    _run(text, tmp_path / "out", replace(TINY, steps=2))
    with pytest.raises(UsageError, match="width 32, not 64"):
        _run(text, tmp_path / "out", replace(TINY, steps=2, width=64))
    text.write_text(text.read_text() + "one more line\n")
    with pytest.raises(UsageError, match="another text"):
        _run(text, tmp_path / "out", replace(TINY, steps=2))


def test_a_cut_checkpoint_is_refused(text: Path, tmp_path: Path) -> None:
    _run(text, tmp_path / "out", replace(TINY, steps=2))
    file = tmp_path / "out" / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        _run(text, tmp_path / "out")
    torch.save({"format": "other"}, file)
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        _run(text, tmp_path / "out")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {}}, {"model": {"transformer.wte.weight": torch.zeros(1)}}, {"optimisers": []}, {"step": -1},
        {"optimisers": [1, 2]}, {"step": "x"}, {"elapsed": float("nan")}, {"config": None}, {"text_hash": [1]},
        {"optimisers": [{"state": {}, "param_groups": []}] * 2},
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_is_refused(text: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    _run(text, tmp_path / "out", replace(TINY, steps=2))
    file = tmp_path / "out" / "checkpoint.pt"
    torch.save(torch.load(file, weights_only=True) | changes, file)
    with pytest.raises(CheckpointError, match="is damaged"):
        _run(text, tmp_path / "out", replace(TINY, steps=2))


def test_settings_of_a_checkpoint_are_told_in_few_words(text: Path, tmp_path: Path) -> None:
    _run(text, tmp_path / "out", replace(TINY, steps=2))
    file = tmp_path / "out" / "checkpoint.pt"
    saved = torch.load(file, weights_only=True)
    for value in ("\x1b]0;x\x07" * 10_000, ["x"] * 10_000, torch.zeros(2)):
        torch.save(saved | {"config": saved["config"] | {"width": value}}, file)
        with pytest.raises(UsageError, match="holds a training with width") as raised:
            _run(text, tmp_path / "out", replace(TINY, steps=2))
        assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    "change",
    [{"heads": 3}, {"sequence": 0}, {"steps": 0}, {"learning_rate": 0.0}, {"matrix_rate": 2.0}, {"vocabulary": 9}],
)
def test_impossible_settings_are_refused(text: Path, tmp_path: Path, change: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        _run(text, tmp_path / "out", replace(TINY, **change))


def test_a_short_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("only a line\n")
    with pytest.raises(UsageError, match="too few for rows of 16"):
        _run(tmp_path / "short.txt", tmp_path / "out")


def test_a_place_that_cannot_be_written_says_so(text: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="--out"):
        _run(text, tmp_path / "file" / "out")


def test_an_infinite_loss_stops_before_the_update(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lamo_core.language.pretrain.window_loss", lambda model, rows: torch.tensor(float("nan")))
    with pytest.raises(LamoError, match="at step 0"):
        _run(text, tmp_path / "out")


def test_rows_depend_on_seed_and_step_alone_and_read_the_whole_text() -> None:
    tokens = np.arange(1000, dtype=np.uint16)
    rows = training_rows(tokens, TINY, 3)
    assert rows.shape == (8, 17)
    assert np.array_equal(rows, training_rows(tokens, TINY, 3))
    assert not np.array_equal(rows, training_rows(tokens, replace(TINY, seed=1), 3))
    assert (np.diff(rows, axis=1) == 1).all()
    epoch = np.concatenate([training_rows(tokens, TINY, step)[:, :-1] for step in range(8)]).ravel()
    assert len(np.unique(epoch)) > 950


def test_the_rate_rises_then_falls_to_zero() -> None:
    shares = [rate_share(progress, 0.1) for progress in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert shares == pytest.approx([0.01, 0.5, 1.0, 0.5, 0.0])


def test_every_parameter_has_one_optimiser() -> None:
    from lamo_core.language.model_folder import language_model

    model = language_model({"vocab_size": 50, "n_positions": 8, "n_embd": 16, "n_layer": 1, "n_head": 2})
    held = [p for optimiser in make_optimisers(model, TINY) for p in optimiser.param_groups[0]["params"]]
    assert {id(p) for p in held} == {id(p) for p in model.parameters()}
    assert len(held) == len({id(p) for p in held})


def test_orthogonalise_brings_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((16, 48), (48, 16), (3, 20, 20)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert values.min() > 0.3
        assert values.max() < 1.3
