"""Sizes in a language model's config.json, weighed before anything of them is built.

Building a model takes what its description asks for, and a description may ask for anything: numbers are bounded first,
then the model is built without memory, on PyTorch's meta device, to compare it with the weights and the memory there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from lamo_core.errors import DataError, DeviceError

_BOUNDS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"theta|seed|tokens?$|_ids?$|index$|rate$|timestamp|limit|clip|scale"), 1 << 62),  # no sizes
    (re.compile(r"experts?$|experts?_per"), 1 << 16),
    (re.compile(r"layers?$|depth$|blocks?$|heads?$|stacks?$|stages?$|loops?$|groups?$|factor$"), 1 << 13),
    (re.compile(r"position|_ctx$|seq|length|window|vocab|chunk|context"), 1 << 25),
    (re.compile(r""), 1 << 20),
)
"""Parts of names of settings and the largest number that they may hold, far beyond any model; the first that fits."""
_MOST_VALUES = 200_000
_MOST_OPERATIONS = 400_000
"""Of building a model of a few hundred layers with experts of their own."""
_SLACK = 1 << 22
"""Numbers by which a model may be larger than its file: tables that are made and not saved."""
_LOOPED = ("marian", "pegasus", "xlm")
"""Families that make their table of positions number by number in Python."""
_LARGEST_LOOP = 1 << 22
_Module = TypeVar("_Module", bound=nn.Module)


class _TooLarge(Exception):
    """A model that is being weighed has more parts than any, or a tensor that is larger than the memory."""


class _Weigher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at every tensor that is made while a model is built, also those that become no part of it."""

    def __init__(self, free: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.free, self.operations = free, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        size = out.numel() * out.element_size() if isinstance(out, Tensor) else 0
        if size > self.free or self.operations > _MOST_OPERATIONS:
            raise _TooLarge
        return out


class _NoStart(TorchFunctionMode):
    """Leaves out the first values of tensors, which take most of the time of building a model without memory."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "zero_", "fill_"):
            return args[0] if args else next(iter((kwargs or {}).values()))
        return func(*args, **(kwargs or {}))


def check_numbers(config: Mapping[str, Any], where: str) -> None:
    """Raise `DataError` for a description with more values, or larger ones, than any model's."""
    for count, (name, value) in enumerate(_numbers(config, "")):
        largest = next(bound for pattern, bound in _BOUNDS if pattern.search(name))
        if count > _MOST_VALUES or abs(value) > largest:
            shown = f"{value:,}" if abs(value) < 1 << 62 else "of more than 18 digits"
            raise DataError(f"{where} is damaged: its {name[:80]} is {shown}, which no model has; get the model again")
    if config.get("model_type") in _LOOPED:
        sizes = [config.get(name) for name in ("max_position_embeddings", "d_model", "emb_dim")]
        if math.prod(size for size in sizes if isinstance(size, int)) > _LARGEST_LOOP:
            raise DataError(f"{where} asks for a table of positions larger than any of its family; get the model again")


def stored_numbers(paths: Iterable[Path]) -> int:
    """Return how many numbers safetensors files hold; their headers alone are read.

    Raises `DataError` for a file that is none.
    """
    total = 0
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                total += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({_one_line(error)}); get the model again") from error
    return total


def weigh(build: Callable[[], nn.Module], name: str, stored: int | None = None, *, whole: bool = True) -> nn.Module:
    """Build a model without memory and return it; its tensors have shapes only.

    `stored` numbers are there to fill it, None for one that is filled with random numbers; not all of them belong to a
    model that is not the `whole` one. Raises `DataError` for a
    description that does not fit them, `DeviceError` for a model that does not fit the memory, and what `build` raises.
    """
    free = free_memory()
    try:
        with _Weigher(free), torch.device("meta"), _NoStart():
            model = build()
    except _TooLarge as error:
        raise _no_room(name, free) from error
    check_room(model, name, stored, whole=whole)
    return model


def outline(make: Callable[[], _Module]) -> _Module:
    """Build a module whose tensors have shapes only.

    Nothing watches it, as `weigh` does: that, and drawing first values, imports PyTorch's compiler, which takes a
    second. So it is for modules of our own, whose numbers have bounds.
    """
    with torch.device("meta"), _NoStart():
        return make()


def check_room(model: nn.Module, name: str, stored: int | None = None, *, whole: bool = True) -> None:
    """Raise what `weigh` raises for a model that is already built, such as one whose tensors have shapes only."""
    weights = sum(value.numel() for value in model.parameters())
    if stored is not None and (weights > 1.5 * stored + _SLACK or (whole and stored > 16 * weights + _SLACK)):
        raise DataError(
            f"the config.json of {name} describes a model of {weights:,} numbers and its weights are {stored:,}; "
            "they do not belong together, get the model again"
        )
    made, free = sum(value.numel() * value.element_size() for value in model.buffers()), free_memory()
    if 4 * weights + made > free:
        raise _no_room(name, free, 4 * weights + made)


def free_memory() -> int:
    """Return the bytes of main memory that this process can still take, by the system's and its group's account."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # files in the cache count as used and are given up on demand
        free = free if limit == "max" else min(free, int(limit) - int(kept["anon"]))
    except (OSError, ValueError, KeyError):
        pass  # another system, or no limit
    return max(free, 0)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """Yield all numbers of a description, floored, with the names that they stand under; 0 for anything else.

    Sizes may be written as 1e8, and some families take them so.
    """
    waiting = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(str(key), part) for key, part in value.items()]
        elif isinstance(value, list):
            waiting += [(name, part) for part in value]
        whole = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
        yield name, int(value) if whole else 0


def _no_room(name: str, free: int, needed: int | None = None) -> DeviceError:
    size = "far more" if needed is None else f"{needed / 1e9:,.1f} GB"
    return DeviceError(
        f"{name} takes {size} of memory to load, and {free / 1e9:,.1f} GB are free; "
        "free some, or choose a smaller model.backbone"
    )


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
