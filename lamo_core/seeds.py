"""Lists of seeds as people write them."""

from __future__ import annotations

from lamo_core.errors import UsageError

MOST_SEEDS = 1000


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of `3`, `0-4` or `0-4,7`, each once and in order; raises `UsageError`."""
    seeds: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last if dash else first)
        if not all(end.strip().isdecimal() for end in ends):
            raise UsageError(f"seeds are whole numbers and ranges such as 0-4 or 0-4,7, not {text!r}")
        low, high = int(ends[0]), int(ends[1])
        if low > high or high - low >= MOST_SEEDS:
            raise UsageError(f"{part.strip()!r} is no range of at most {MOST_SEEDS} seeds; write it as 0-4")
        seeds |= set(range(low, high + 1))
    return tuple(sorted(seeds))


def shown_seeds(seeds: tuple[int, ...]) -> str:
    """Return seeds in the shortest way that `parse_seeds` reads, such as `0-4,7`."""
    parts: list[list[int]] = []
    for seed in sorted(seeds):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)
