"""Sampling ahead: the next batch is drawn in a thread while a device computes with the one before."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from lamo_core.data.windows import WindowBatch, WindowSampler


class Prefetcher:
    """A `WindowSampler` that is one batch ahead; the batches, and the states between them, are the same.

    Its state is that of the batch that was handed out last, whatever was drawn since.
    """

    def __init__(self, sampler: WindowSampler, *, pinned: bool) -> None:
        """`pinned` puts batches into memory that a CUDA device can fetch by itself."""
        self._sampler, self._pinned = sampler, pinned
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sampler")
        self._state = sampler.state_dict()
        self._next: Future[tuple[WindowBatch, dict[str, str]]] | None = None
        self._size = 0

    def sample(self, batch_size: int) -> WindowBatch:
        """Return the next `batch_size` windows and begin to draw as many again."""
        if self._next is None or batch_size != self._size:
            self.load_state_dict(self._state)
            self._next, self._size = self._thread.submit(self._draw, batch_size), batch_size
        ahead, self._next = self._next, None  # what fails is not asked for again
        batch, self._state = ahead.result()
        self._next = self._thread.submit(self._draw, batch_size)
        return batch

    def state_dict(self) -> dict[str, str]:
        """Return the state from which the next batch is drawn."""
        return self._state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; what was drawn ahead is forgotten."""
        if self._next is not None:
            self._next.exception()  # nobody else draws meanwhile
            self._next = None
        self._sampler.load_state_dict(dict(state))
        self._state = self._sampler.state_dict()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _draw(self, batch_size: int) -> tuple[WindowBatch, dict[str, str]]:
        batch = self._sampler.sample(batch_size)
        return pinned(batch) if self._pinned else batch, self._sampler.state_dict()


def pinned(batch: WindowBatch) -> WindowBatch:
    """Return a batch in page-locked memory."""
    parts = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return replace(batch, **{name: value.pin_memory() for name, value in parts.items() if isinstance(value, Tensor)})


def worth_prefetching(device: torch.device) -> bool:
    """Return whether there is time in which to draw: a processor that computes itself has none to spare."""
    return device.type != "cpu"
