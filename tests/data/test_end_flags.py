"""End flags: every combination that a stream, or an episode in a group of its own, may come with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamo_core.config import DataConfig, TaskConfig
from lamo_core.data.checks.end_flags import Flags, cut_stream
from lamo_core.data.episodes import EpisodeStore
from lamo_core.data.open_data import open_data
from lamo_core.data.sources.d4rl import convert
from lamo_core.data.sources.minari_file import convert_minari
from lamo_core.data.store.local import find_received
from lamo_core.errors import UnsupportedDataError
from tests.data.sources.made_sources import box, d4rl_tables, minari_episodes, write_d4rl, write_minari
from tests.data.sources.web_server import Published

STEPS = 10


def at(*steps: int, count: int = STEPS) -> Flags:
    """Return a column that is yes at these steps."""
    flags = np.zeros(count, np.bool_)
    flags[list(steps)] = True
    return flags


NEVER, MISSING = at(), None


@pytest.mark.parametrize(
    ("terminals", "timeouts", "horizon", "lengths", "terminated", "partial"),
    [
        # both mark something: every mark counts, and nothing else
        (at(2, 9), at(5), 0, [3, 3, 4], [1, 0, 1], False),
        (at(2, 9), at(5), 2, [3, 3, 4], [1, 0, 1], False),
        # both at once: the task ended it
        (at(2, 9), at(2, 5), 0, [3, 3, 4], [1, 0, 1], False),
        # the last step without a mark
        (at(2), at(5), 0, [3, 3, 4], [1, 0, 0], True),
        (at(2), at(5), 4, [3, 3, 4], [1, 0, 0], True),
        # time limits missing, or marked nowhere, and known from the task
        (at(2, 9), MISSING, 4, [3, 4, 3], [1, 0, 1], False),
        (at(2, 9), NEVER, 4, [3, 4, 3], [1, 0, 1], False),
        (at(2), MISSING, 4, [3, 4, 3], [1, 0, 0], True),
        (at(3, 9), MISSING, 4, [4, 4, 2], [1, 0, 1], False),  # an end at the limit is the task's
        (at(1), MISSING, 4, [2, 4, 4], [1, 0, 0], False),  # and a last episode of that length is whole
        (NEVER, MISSING, 5, [5, 5], [0, 0], False),
        (NEVER, NEVER, 4, [4, 4, 2], [0, 0, 0], True),
        (NEVER, NEVER, 100, [10], [0], True),
        # time limits unknown
        (at(2, 9), MISSING, 0, [3, 7], [1, 1], False),
        (at(2, 9), NEVER, 0, [3, 7], [1, 1], False),
        (at(2), MISSING, 0, [3, 7], [1, 0], True),
        # the task ended none, or nobody says
        (NEVER, at(4, 9), 0, [5, 5], [0, 0], False),
        (MISSING, at(4, 9), 0, [5, 5], [0, 0], False),
        (MISSING, at(4), 3, [5, 5], [0, 0], True),
    ],
)
def test_every_combination_has_a_meaning(
    terminals: Flags | None,
    timeouts: Flags | None,
    horizon: int,
    lengths: list[int],
    terminated: list[int],
    partial: bool,
) -> None:
    ends = cut_stream(STEPS, terminals, timeouts, horizon)
    assert ends is not None
    assert np.diff(ends.bounds, prepend=0).tolist() == lengths
    assert ends.terminated.astype(int).tolist() == terminated
    assert ends.partial is partial


@pytest.mark.parametrize(
    ("terminals", "timeouts", "horizon"),
    [
        (NEVER, MISSING, 0),
        (NEVER, NEVER, 0),
        (MISSING, MISSING, 0),
        (MISSING, MISSING, 4),
        (MISSING, NEVER, 4),
    ],
)
def test_where_nothing_says_where_episodes_end_none_are_made_up(
    terminals: Flags | None, timeouts: Flags | None, horizon: int
) -> None:
    assert cut_stream(STEPS, terminals, timeouts, horizon) is None


def test_what_was_decided_is_said() -> None:
    notes = [
        cut_stream(STEPS, *columns).note  # type: ignore[union-attr]
        for columns in (
            (at(2), MISSING, 4),
            (at(2), NEVER, 4),
            (at(2), MISSING, 0),
            (MISSING, at(2), 4),
            (at(2), at(4), 4),
        )
    ]
    assert "do not say where time limits struck: episodes were cut after 4 steps" in notes[0]
    assert "mark no time limit anywhere: episodes were cut after 4 steps" in notes[1]
    assert "the task has none" in notes[2]
    assert "no ends by the task" in notes[3]
    assert notes[4] == ""


def imported(folder: Path, tables: dict[str, np.ndarray], task: str = "mujoco-hopper") -> EpisodeStore:
    """Return the episodes of a file of D4RL's kind for a task."""
    write_d4rl(folder / "set.hdf5", tables)
    facts = {"name": "mine", "task": task, "licence": "?", "origin": {"source": "imported"}}
    convert(folder / "set.hdf5", "imported", "mine", facts, lambda *_: None)
    return open_data(DataConfig(set="mine"), TaskConfig(name=task), 0)


@pytest.mark.usefixtures("in_process")
def test_a_file_from_before_time_limits_were_marked(tmp_path: Path, published: Published) -> None:
    lengths = (1000, 349, 1000, 1000, 700)
    tables = d4rl_tables((*lengths, 1))
    tables = {name: values[:-1] for name, values in tables.items() if name not in ("timeouts", "next_observations")}
    tables["terminals"][:] = False
    tables["terminals"][[1348, 4048]] = True
    store = imported(tmp_path, tables)
    assert tuple(store.lengths) == lengths
    assert store.terminated.tolist() == [False, True, False, False, True]
    assert store.truncated.tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(store.rewards, tables["rewards"])
    assert any("cut after 1,000 steps" in note for note in store.card["notes"])
    assert (store.card["time_outs"], store.card["partial_transitions"]) == (3, 0)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("names", [("terminals", "timeouts"), ("terminations", "truncations")])
def test_columns_go_by_both_names(tmp_path: Path, published: Published, names: tuple[str, str]) -> None:
    tables = d4rl_tables((5, 3, 4, 2))
    for old, new in zip(("terminals", "timeouts"), names, strict=True):
        tables[new] = tables.pop(old)[:, None].astype(np.float32)
    store = imported(tmp_path, tables)
    assert store.lengths.tolist() == [5, 3, 4]
    assert store.terminated.tolist() == [True, False, True]


@pytest.mark.usefixtures("in_process")
def test_a_file_that_does_not_say_why_episodes_ended_is_whole_and_refused(tmp_path: Path, published: Published) -> None:
    tables = d4rl_tables((5, 3, 4, 2))
    tables["dones"] = tables.pop("terminals") | tables.pop("timeouts")
    with pytest.raises(UnsupportedDataError, match=r"not why; write `terminals`"):
        imported(tmp_path, tables)
    del tables["dones"]
    with pytest.raises(UnsupportedDataError, match=r"says nowhere that an episode ends.*; write `terminals`"):
        imported(tmp_path, tables)
    assert find_received("imported", "mine") is None


LAST, EARLY = at(3, count=4), at(1, count=4)


@pytest.mark.parametrize(
    ("terminations", "truncations", "terminated", "early"),
    [
        (LAST, at(count=4), True, False),
        (at(count=4), LAST, False, False),
        (LAST, LAST, True, False),
        (at(count=4), at(count=4), False, False),
        (LAST, None, True, False),
        (None, LAST, False, False),
        (LAST | EARLY, LAST, True, True),
        (at(count=4), LAST | EARLY, False, True),
    ],
)
def test_an_episode_in_a_group_ends_with_it(
    tmp_path: Path, terminations: Flags | None, truncations: Flags | None, terminated: bool, early: bool
) -> None:
    episode = minari_episodes((4,), 11, 3)[0]
    for name, flags in (("terminations", terminations), ("truncations", truncations)):
        del episode[name]
        if flags is not None:
            episode[name] = flags
    folder = write_minari(tmp_path, "e-v0", [episode], box((11,), -1, 1), box((3,), -1, 1))
    facts = {"name": "e-v0", "task": "", "licence": "", "origin": {"source": "minari"}}
    card = convert_minari(folder, tmp_path, facts, lambda *_: None)
    assert card["lengths"]["max"] == 4
    assert card["time_outs"] == (not terminated)
    assert any("go on after a step that is marked" in note for note in card["notes"]) is early


def test_a_group_without_end_marks_is_refused(tmp_path: Path) -> None:
    episode = minari_episodes((4,), 11, 3)[0]
    del episode["terminations"], episode["truncations"]
    folder = write_minari(tmp_path, "e-v0", [episode], box((11,), -1, 1), box((3,), -1, 1))
    facts = {"name": "e-v0", "task": "", "licence": "", "origin": {"source": "minari"}}
    with pytest.raises(UnsupportedDataError, match="does not say how it ended"):
        convert_minari(folder, tmp_path, facts, lambda *_: None)
