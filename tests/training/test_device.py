"""Devices and precisions: what `auto` takes, and what is said of a device that is not there."""

from __future__ import annotations

import pytest
import torch

from lamo_core.errors import DeviceError, LamoError, UsageError
from lamo_core.training.device import resolve_device, resolve_precision


@pytest.mark.parametrize(
    ("asked", "taken"), [("auto", torch.float32), ("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_a_processor_computes_in_float32_unless_told_otherwise(asked: str, taken: torch.dtype) -> None:
    assert resolve_precision(asked, torch.device("cpu")) == taken


@pytest.mark.parametrize("able", [True, False])
def test_a_card_computes_in_bfloat16_where_it_can(able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # an older card says yes, too, where emulation counts
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: able or including_emulation)
    assert resolve_precision("auto", torch.device("cuda")) == (torch.bfloat16 if able else torch.float32)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("gpu", UsageError, "use auto, cpu, cuda"),
        ("meta", UsageError, "is not supported"),
        ("cuda", DeviceError, "install a CUDA build"),
        ("mps", DeviceError, "no Metal device"),
    ],
)
def test_devices_that_are_not_there_are_named(
    name: str, error: type[LamoError], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(error, match=said):
        resolve_device(name)


def test_a_second_card_of_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match="has 1 CUDA device"):
        resolve_device("cuda:1")
