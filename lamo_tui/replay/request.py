"""What the Replay screen is asked to play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lamo_core.workers.conversation import Hear
from lamo_tui.replay.player_client import Link

NewPlayer = Callable[[Hear], Link]


@dataclass
class Request:
    """What is to be played, and how; None leaves it to the source."""

    source: str
    options: dict[str, Any] = field(default_factory=dict)
    """Seed, target, context and action, as the player's `open` takes them."""
    play: bool = True
    preview: bool = False
    """Whether the record of a checkpoint plays until its policy is loaded."""
    beside: str | None = None
    """Played beside it, with the same seed."""
