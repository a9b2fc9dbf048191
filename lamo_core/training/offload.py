"""Where the tensors of a session are: on its device, or, while it is paused, in the machine's own memory."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from lamo_core.errors import DeviceError
from lamo_core.training.session import Session


class DeviceMemory(Protocol):
    """Memory that a device has for itself; sizes in bytes."""

    def taken(self) -> int:
        """Return how much this process keeps of it, what it only holds ready included."""

    def room(self) -> int:
        """Return how much this process could have in all, as others use the device now."""

    def out(self, content_N: Tensor) -> Tensor:
        """Copy bytes (N,) uint8 to the machine's memory."""

    def back(self, content_N: Tensor) -> Tensor:
        """Copy them to the device."""

    def give_up(self) -> None:
        """Let other processes have what is not in use."""


class CudaMemory:
    """The memory of a CUDA device, as PyTorch's allocator deals with it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def taken(self) -> int:
        """Return what the allocator has reserved."""
        return torch.cuda.memory_reserved(self._device)

    def room(self) -> int:
        """Return what is free, and what is reserved already."""
        return torch.cuda.mem_get_info(self._device)[0] + self.taken()

    def out(self, content_N: Tensor) -> Tensor:
        """Copy to the machine's memory."""
        return content_N.cpu()

    def back(self, content_N: Tensor) -> Tensor:
        """Copy to the device."""
        return content_N.to(self._device)

    def give_up(self) -> None:
        """Collect what only cycles still hold, and return reserved blocks to the driver."""
        gc.collect()
        torch.cuda.empty_cache()


def memory_of(device: torch.device) -> DeviceMemory | None:
    """Return the memory that a device has for itself; None for processors and Apple's GPUs, which use the machine's."""
    return CudaMemory(device) if device.type == "cuda" else None


class DeviceOffload:
    """Moves what a session holds on its device away between two steps, and back bit for bit.

    Tensors stay the same objects, because an optimiser knows its parameters by them; strides stay, and what shared its
    memory shares it again. A run that goes on afterwards takes the very steps that it would have taken.
    """

    def __init__(self, session: Session, memory: DeviceMemory) -> None:
        self._session, self._memory = session, memory
        self._moved: list[Tensor] = []
        self._needs = 0
        self.freed = 0
        """Bytes that the device got back; 0 while the session is on it."""

    def release(self) -> int:
        """Move to the machine's memory, unless that is done, and return the bytes that the device got back.

        Raises `DeviceError` where the machine has no room; then everything is where it was.
        """
        if self._moved:
            return self.freed
        needs = self._memory.taken()
        held = [found for found in tensors_of(self._session) if found.device.type == self._session.device.type]
        try:
            _move(held, self._memory.out)
        except (RuntimeError, MemoryError) as error:
            raise DeviceError(
                f"this machine has no memory left to keep for the run what it holds on {self._session.device} "
                f"({_gigabytes(needs)}), so it holds it on; free memory, then ask again"
            ) from error
        self._memory.give_up()
        self._moved, self._needs = held, needs
        self.freed = max(1, needs - self._memory.taken())
        return self.freed

    def restore(self) -> None:
        """Move to the device again, unless everything is there.

        Raises `DeviceError` where others have left less room than the run used before; then it stays away, whole.
        """
        if not self._moved:
            return
        # a step needs more than what lies there between two steps, and must not be the one to find that out
        if self._memory.room() < self._needs:
            raise self._no_room()
        try:
            _move(self._moved, self._memory.back)
        except (RuntimeError, MemoryError) as error:
            self._memory.give_up()
            raise self._no_room() from error
        self._moved, self.freed = [], 0

    def _no_room(self) -> DeviceError:
        return DeviceError(
            f"{self._session.device} has less room than the {_gigabytes(self._needs)} that this run had there; it "
            "stays paused and loses nothing: resume it when others have left the device"
        )


def tensors_of(root: object) -> list[Tensor]:
    """Return every tensor, gradients included, that an object reaches by modules, optimisers, collections and our
    own objects; each once.
    """
    found: list[Tensor] = []
    seen: dict[int, object] = {}
    ahead = [root]
    while ahead:
        value = ahead.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, Tensor):
            found.append(value)
            ahead.append(value.grad if value.is_leaf else None)
        else:
            ahead.extend(_parts(value))
    return found


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    # not modules' buffers and parameters alone: some keep tensors as plain attributes
    ours = type(value).__module__.startswith("lamo_core.")
    if ours or isinstance(value, nn.Module | torch.optim.Optimizer):
        return vars(value).values() if hasattr(value, "__dict__") else ()
    return ()


def _move(tensors: Iterable[Tensor], copy: Callable[[Tensor], Tensor]) -> None:
    """Put the memory of tensors elsewhere, as a whole and once where several share it; an error leaves all in place."""
    tensors = list(tensors)
    copies: dict[int, Tensor] = {}
    try:
        for tensor in tensors:
            memory = tensor.untyped_storage()
            if memory.data_ptr() not in copies:
                whole_N = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(memory)
                copies[memory.data_ptr()] = copy(whole_N)
    except (RuntimeError, MemoryError):
        copies.clear()  # the error keeps this frame, which must not keep them
        raise
    places = [copies[tensor.untyped_storage().data_ptr()] for tensor in tensors]
    for tensor, place_N in zip(tensors, places, strict=True):
        empty = torch.empty(0, dtype=tensor.dtype, device=place_N.device)
        moved = empty.set_(place_N.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())
        tensor.data = moved


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2g} GB"
