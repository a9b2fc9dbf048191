"""Which device and which precision a run uses, and why."""

from __future__ import annotations

import time

import torch

from lamo_core.errors import DeviceError, UsageError


def resolve_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda`, `cuda:N` or `mps` into a device; raises `DeviceError` when it is absent."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"there is no device {name!r}; use auto, cpu, cuda, cuda:N or mps") from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"device {name!r} is not supported; use auto, cpu, cuda, cuda:N or mps")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError("no CUDA device is visible to PyTorch; use --device cpu, or install a CUDA build of torch")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"there is no {name}; this machine has {torch.cuda.device_count()} CUDA device(s)")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("this machine has no Metal device; use --device cpu")
    return device


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype of the matrix products; `auto` takes bfloat16 only where a probe shows that it is faster.

    On processors without bfloat16 units it is over ten times slower than float32, so nothing is assumed.
    """
    if precision == "fp32":
        return torch.float32
    if precision == "bf16":
        return torch.bfloat16
    return torch.bfloat16 if _bf16_is_faster(device) else torch.float32


def _bf16_is_faster(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu":
        return False
    # alternating, and the best of several: other work on the machine must not decide
    seconds = {dtype: float("inf") for dtype in (torch.float32, torch.bfloat16)}
    for _ in range(5):
        for dtype in seconds:
            seconds[dtype] = min(seconds[dtype], _product_seconds(dtype))
    return seconds[torch.bfloat16] < 0.7 * seconds[torch.float32]


def _product_seconds(dtype: torch.dtype) -> float:
    """Return the CPU time of one product of a trunk's size; not the clock's, which counts waiting for a core."""
    a, b = torch.ones(192, 256, dtype=dtype), torch.ones(256, 768, dtype=dtype)
    start = time.process_time()
    a @ b
    return time.process_time() - start
