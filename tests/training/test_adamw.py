"""AdamW against PyTorch's own: the same numbers and states, whichever parameters have a gradient; and skipped steps."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from lamo_core.training import adamw
from lamo_core.training.adamw import AdamW, clipping


def network(*, large: bool = False) -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "first": nn.Linear(7, 5),
            "norm": nn.LayerNorm(5),
            "wide": nn.Linear(5, 70_000 if large else 9),
            "picture": nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last),
            "last": nn.Linear(5, 3),
        }
    )


def groups(model: nn.Module) -> list[dict[str, Any]]:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim < 2]
    return [
        {"params": matrices, "lr": 0.1, "weight_decay": 0.3, "name": "matrices", "base_rate": 0.1},
        {"params": others, "lr": 0.05, "weight_decay": 0.0, "name": "others", "base_rate": 0.05},
    ]


def backward(model: nn.ModuleDict, step: int, parts: list[str]) -> None:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(6, 7, generator=generator)
    hidden = model["norm"](model["first"](x))
    losses = {
        "wide": lambda: model["wide"](hidden).square().mean(),
        "last": lambda: model["last"](hidden).sin().sum(),
        "picture": lambda: model["picture"](torch.randn(2, 3, 5, 5, generator=generator)).square().mean(),
    }
    torch.stack([losses[part]() for part in parts]).sum().backward()


ALL = ["wide", "last", "picture"]
SOMETIMES = [ALL, ["wide"], ["last", "picture"], ALL, ["picture"], ["wide", "last"]]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("parts", [[ALL] * 6, SOMETIMES], ids=["always", "sometimes"])
def test_the_numbers_are_those_of_pytorch(large: bool, parts: list[list[str]]) -> None:
    ours, theirs = network(large=large), network(large=large)
    optimiser, reference = AdamW(groups(ours)), torch.optim.AdamW(groups(theirs), fused=True)
    for step, which in enumerate(parts):
        for model in (ours, theirs):
            backward(model, step, which)
        norm = optimiser.gradient_norm()
        expected = nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        torch.testing.assert_close(norm, expected)
        optimiser.step(divisor=clipping(norm, 0.5))
        reference.step()
        optimiser.zero_grad()
        reference.zero_grad()
        for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, msg=lambda m, name=name: f"{name}: {m}")
    same_state(optimiser.state_dict(), reference.state_dict())


def same_state(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours["state"].keys() == theirs["state"].keys()
    for number, entry in ours["state"].items():
        for name, value in entry.items():
            torch.testing.assert_close(value, theirs["state"][number][name])
    for one, other in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert all(one[name] == other[name] for name in one)


@pytest.mark.parametrize("parts", [[ALL] * 4, SOMETIMES], ids=["always", "sometimes"])
@pytest.mark.parametrize("kind", ["ours", "theirs"])
def test_a_saved_state_goes_on_exactly(parts: list[list[str]], kind: str) -> None:
    whole, half = network(), network()
    makers = {"ours": AdamW, "theirs": lambda found: torch.optim.AdamW(found, fused=True)}
    first, straight = makers[kind](groups(half)), AdamW(groups(whole))
    for step, which in enumerate(parts):
        if step == len(parts) // 2:  # another process goes on, with what a file gives
            saved, resumed = copy.deepcopy(first.state_dict()), network()
            resumed.load_state_dict(half.state_dict())
            half, first = resumed, AdamW(groups(resumed))
            first.load_state_dict(saved)
        for model, optimiser in ((half, first), (whole, straight)):
            backward(model, step, which)
            optimiser.step()
            optimiser.zero_grad()
    for one, other in zip(whole.parameters(), half.parameters(), strict=True):
        if kind == "ours":
            assert torch.equal(one, other)
        torch.testing.assert_close(one, other)  # PyTorch's rounds the ends of tensors otherwise
    same_state(first.state_dict(), straight.state_dict())


def test_a_skipped_step_changes_nothing_and_the_next_one_is_as_if_it_had_not_been() -> None:
    ours, theirs = network(), network()
    optimiser, straight = AdamW(groups(ours)), AdamW(groups(theirs))
    for step in range(4):
        backward(theirs, step, ALL)
        straight.step(skip=torch.zeros(()))
        straight.zero_grad()
        backward(ours, step, ALL)
        optimiser.step(skip=torch.zeros(()))
        optimiser.zero_grad()
        before = {name: value.clone() for name, value in ours.state_dict().items()}
        backward(ours, 100, ALL)
        ours["first"].weight.grad.fill_(float("nan"))  # type: ignore[union-attr]
        norm = optimiser.gradient_norm()
        optimiser.step(divisor=norm, skip=(~norm.isfinite()).float())
        optimiser.zero_grad()
        assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())
    same_state(optimiser.state_dict(), straight.state_dict())


def test_small_tensors_are_updated_in_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.ModuleList(nn.Linear(6, 6) for _ in range(20))
    optimiser = AdamW([{"params": list(model.parameters()), "lr": 0.1, "weight_decay": 0.0}])
    calls: list[int] = []
    fused = torch._fused_adamw_
    monkeypatch.setattr(torch, "_fused_adamw_", lambda values, *rest, **options: calls.append(len(values)))
    torch.stack([layer(torch.ones(6)).sum() for layer in model]).sum().backward()
    optimiser.step()
    assert calls == [1]
    assert fused is not torch._fused_adamw_
    assert adamw._SMALL > 36


def test_gradients_from_elsewhere_count() -> None:
    ours, theirs = network(), network()
    optimiser, reference = AdamW(groups(ours)), torch.optim.AdamW(groups(theirs), fused=True)
    for model in (ours, theirs):
        model.zero_grad()  # takes the memory for gradients away
        backward(model, 0, ALL)
    optimiser.step()
    reference.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_state_of_other_parameters_is_refused() -> None:
    optimiser = AdamW(groups(network()))
    state = optimiser.state_dict()
    other = AdamW(groups(model := network()))
    backward(model, 0, ALL)
    other.step()
    wrong = other.state_dict()
    wrong["state"][0]["exp_avg"] = torch.zeros(2, 2)
    with pytest.raises(ValueError, match="another shape"):
        optimiser.load_state_dict(wrong)
    state["param_groups"][0]["params"].pop()
    with pytest.raises(ValueError, match="another policy"):
        optimiser.load_state_dict(state)
