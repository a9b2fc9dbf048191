"""The player: commands, its clock, and what it says."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamo_core.errors import LamoError
from lamo_core.evaluation.recorder import screens
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.player.asciicast import _FRAME, ATARI_PIXEL
from lamo_core.player.half_blocks import fitted_size, pair_keys, resize
from lamo_core.player.sources import replays_of
from lamo_core.runs.directory import RunDirectory
from lamo_core.workers.messages import ProtocolError, read_message, write_message
from tests.player.conftest import Watched
from tests.player.tiny import TARGET, make_checkpoint, make_run, tiny_config


def test_it_tells_what_it_opened_and_shows_the_beginning(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(tiny_run.path))
    opened, frame = watched.said("opened"), watched.said("frame")
    assert opened["actions"] == ["noop", "fire", "right", "left"]
    assert opened["label"] == "tiny s0, step 3"
    assert not opened["recorded"]
    assert (frame["at"], frame["length"], frame["asked"], frame["target"]) == (0, 0, TARGET, TARGET)
    assert sum(frame["values"]) == pytest.approx(1, abs=1e-3)
    assert len(watched.heard[-1][1]) == 210 * 160 * 3
    assert np.array(frame["attention"]).shape == (1, 3)


def test_it_tells_the_attention_of_the_layer_and_head_that_were_chosen(
    watched: Watched, tiny_run: RunDirectory
) -> None:
    watched.do("open", source=str(tiny_run.path))
    watched.do("step", by=4)
    frame = watched.said("frame")
    layers, heads = frame["heads"]
    assert (list(frame["look"]), min(layers, heads) > 1) == ([0, 0], True)
    shown = {}
    for layer in range(layers + 1):
        for head in range(heads + 1 if layer else 1):
            watched.do("look", layer=layer, head=head)
            frame = watched.said("frame")
            assert list(frame["look"]) == [layer, head]
            assert np.shape(frame["attention"]) == np.shape(shown.setdefault((0, 0), frame["attention"]))
            shown[layer, head] = np.array(frame["attention"])
    singles = [shown[layer, head] for layer in range(1, layers + 1) for head in range(1, heads + 1)]
    assert len({weights.tobytes() for weights in singles}) > 1, "heads differ"
    np.testing.assert_allclose(np.mean(singles, axis=0), shown[0, 0], atol=2e-3)
    np.testing.assert_allclose(np.mean(singles[:heads], axis=0), shown[1, 0], atol=2e-3)
    watched.do("step", by=-2)
    assert watched.said("frame")["attention"] is not None, "heads of the past are known"
    watched.do("look", layer=layers + 1)
    assert watched.said("frame")["attention"] is None
    sizes = [len(json.dumps(header)) for header, _ in watched.heard if header["kind"] == "frame"]
    assert max(sizes) < 3000, "only what is shown is told"


def test_of_long_ago_only_the_mean_attention_is_kept(
    watched: Watched, tiny_run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamo_core.player import history

    monkeypatch.setattr(history, "_HEADS_BYTES", 2000)
    watched.do("open", source=str(tiny_run.path))
    watched.do("look", layer=1)
    watched.do("step", by=30)
    watched.do("step", by=-1)
    assert watched.said("frame")["attention"] is not None
    rows = watched.player.sides[0].opened.episode.track.rows
    kept = sum(row.attention.heads_BHC3.nbytes for row in rows if row.attention.heads_BHC3 is not None)  # type: ignore[union-attr]
    assert 0 < kept <= 2000
    watched.do("seek", to=0)
    frame = watched.said("frame")
    assert (frame["attention"], frame["averaged"]) == (None, True)
    watched.do("look")
    assert watched.said("frame")["attention"] is not None
    watched.do("seek", to=10)
    watched.do("branch")
    watched.do("step", by=30)
    branch = watched.player.sides[0].opened.episode.track
    assert len(branch) == 40
    kept = sum(row.attention.heads_BHC3.nbytes for row in branch.rows if row.attention.heads_BHC3 is not None)  # type: ignore[union-attr]
    assert 0 < kept == branch.heads_bytes <= 2000


def test_it_plays_in_real_time_and_shows_no_more_than_is_wanted(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(replays_of(tiny_run)[0]))
    watched.heard.clear()
    watched.do("play", speed=2, fps=10)
    watched.run(1.0)
    frames = [header for header, _ in watched.heard if header["kind"] == "frame"]
    assert 28 <= frames[-1]["at"] <= 31
    assert 9 <= len(frames) <= 12
    assert all(frame["playing"] for frame in frames)
    watched.run(5.0)
    end = watched.said("frame")
    assert (end["at"], end["length"], end["playing"], end["over"]) == (60, 60, False, True)
    assert watched.player.tick() is None


def test_time_that_was_lost_is_not_made_up_for(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(replays_of(tiny_run)[0]))
    watched.do("play", speed=1)
    watched.run(0.1)
    before = watched.said("frame")["at"]
    watched.now += 60
    watched.run(0.2)
    assert watched.said("frame")["at"] - before < 12


def test_what_was_told_once_is_not_told_again(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(tiny_run.last_checkpoint))
    watched.do("step", by=3)
    watched.do("step", by=2)
    part = watched.said("frame")["track"]
    assert part["from"] == 3
    assert len(part["rewards"]) == 2
    assert part["lives_from"] == 4
    watched.do("step", by=-4)
    frame = watched.said("frame")
    assert (frame["at"], frame["length"]) == (1, 5)
    assert frame["track"]["rewards"] == []
    watched.do("branch")
    assert "branched" in watched.kinds()
    assert watched.said("frame")["track"]["from"] == 0
    assert watched.said("frame")["length"] == 1
    watched.do("swap")
    assert watched.said("frame")["length"] == 5


@pytest.fixture
def valued_run(tmp_path: Path) -> RunDirectory:
    """Return a run of a policy that learns values, with a record of it."""
    config = tiny_config()
    return make_run(tmp_path / "runs", replace(config, model=replace(config.model, q_weight=0.1)))


def test_what_a_policy_foretells_is_told_once(watched: Watched, valued_run: RunDirectory) -> None:
    watched.do("open", source=str(valued_run.last_checkpoint))
    watched.do("step", by=3)
    frame = watched.said("frame")
    assert (frame["value_kind"], frame["track"]["predicted_from"]) == ("value", 1)
    told = frame["track"]["predicted"]
    assert len(told) == 3, "before decisions 1 and 2, and where it stands"
    assert all(isinstance(value, float) for value in told)
    watched.do("step", by=-2)
    assert watched.said("frame")["track"]["predicted"] == []
    watched.do("branch")
    assert watched.said("frame")["track"]["predicted"][1] == pytest.approx(told[0], rel=1e-3), "of the same place"


def test_a_policy_foretells_the_past_of_a_record(watched: Watched, valued_run: RunDirectory) -> None:
    watched.do("open", source=str(replays_of(valued_run)[0]))
    assert watched.said("frame")["value_kind"] == ""
    assert watched.said("frame")["track"]["predicted"] == []
    watched.do("seek", to=5)
    watched.do("take", on=True)
    watched.do("take", on=False)
    frame = watched.said("frame")
    assert frame["value_kind"] == "value"
    assert None not in frame["track"]["predicted"]
    assert len(frame["track"]["predicted"]) == 6


def test_a_policy_without_values_foretells_nothing(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(tiny_run.last_checkpoint))
    watched.do("step")
    assert watched.said("frame")["value_kind"] == ""
    assert watched.said("frame")["track"]["predicted"] == [None]


def test_a_person_holds_keys_and_hands_back(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(tiny_run.last_checkpoint))
    watched.do("take", on=True)
    watched.do("play", speed=1)
    watched.do("hold", action=2)
    watched.run(0.5)
    watched.do("hold", action=None)
    watched.run(0.5)
    watched.do("act", action=3)
    rows = watched.player.sides[0].opened.episode.track.rows
    assert rows[3].action == 2
    assert rows[-2].action == 0
    assert rows[-1].action == 3
    assert all(row.person for row in rows)
    watched.do("take", on=False)
    watched.do("step")
    assert not rows[-1].person
    assert watched.said("frame")["track"]["persons"] == [0]


def test_two_play_the_same_seed_side_by_side(watched: Watched, tiny_run: RunDirectory, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path / "other.pt", tiny_config(), seed=9)
    watched.do("open", source=str(tiny_run.last_checkpoint), seed=21)
    watched.do("step", by=10)
    watched.do("open", source=str(other), side=1)
    sides = [header for header, _ in watched.heard if header["kind"] == "frame"][-2:]
    assert [(frame["side"], frame["at"]) for frame in sides] == [(0, 10), (1, 10)]
    seeds = [side.opened.episode.seed for side in watched.player.sides]
    assert seeds == [21, 21]
    watched.do("target", side=1, value=3)
    assert [side.opened.episode.target for side in watched.player.sides] == [TARGET, 3]
    watched.do("seek", to=4)
    assert {side.opened.episode.at for side in watched.player.sides} == {4}
    watched.do("shut")
    assert len(watched.player.sides) == 1


def test_a_record_borrows_the_policy_of_its_run(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(replays_of(tiny_run)[0]))
    watched.do("seek", to=20)
    assert not watched.said("frame")["live"]
    watched.do("target", value=4)
    frame = watched.said("frame")
    assert (frame["live"], frame["length"], frame["target"]) == (True, 20, 4)
    assert "last.pt" in watched.said("note")["text"]


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ({"do": "open", "source": "nosuch.pt"}, "there is no file nosuch.pt"),
        ({"do": "open", "source": __file__}, "neither a checkpoint"),
        ({"do": "step", "by": "many"}, "error it does not know"),
        ({"do": "dance"}, "knows no command 'dance'"),
        ({"do": "branch"}, "nothing is open"),
        ({"do": "open", "source": "x.pt", "side": 1}, "room for two"),
    ],
)
def test_errors_are_sentences(watched: Watched, command: dict[str, object], sentence: str) -> None:
    watched.player.handle(command)
    assert sentence in watched.said("error")["text"]
    assert watched.said("error")["do"] == command["do"]


def test_two_tasks_are_not_put_side_by_side(watched: Watched, tiny_run: RunDirectory, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path / "other.pt", tiny_config("atari-pong"))
    watched.do("open", source=str(tiny_run.last_checkpoint))
    watched.do("open", source=str(other), side=1)
    assert "Breakout and Pong differ" in watched.said("error")["text"]
    assert len(watched.player.sides) == 1


def test_an_episode_is_kept_as_a_replay_a_gif_and_a_cast(
    watched: Watched, tiny_run: RunDirectory, tmp_path: Path
) -> None:
    pytest.importorskip("PIL")
    watched.do("open", source=str(tiny_run.last_checkpoint))
    watched.do("save", path=str(tmp_path / "early.npz"))
    assert "nothing has been played" in watched.said("error")["text"]
    watched.do("step", by=30)
    for name in ("a.npz", "a.gif", "a.cast"):
        watched.do("save", path=str(tmp_path / name))
        assert watched.said("saved")["bytes"] == (tmp_path / name).stat().st_size
    watched.do("save", path=str(tmp_path / "a.avi"))
    assert ".cast" in watched.said("error")["text"]
    replay = load_replay(tmp_path / "a.npz")
    assert replay.episode.length == 30
    assert replay.meta["name"] == "tiny s0"
    watched.do("open", source=str(tmp_path / "a.npz"))
    assert watched.said("opened")["recorded"]
    header, *events = [json.loads(line) for line in (tmp_path / "a.cast").read_text().splitlines()]
    assert header["version"] == 2
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    assert events[-1][0] == pytest.approx(3.0)
    last = list(screens(replay.episode, replay.task))[-1]
    tall, wide = fitted_size(210, 160, *_FRAME, ATARI_PIXEL)
    expected = pair_keys(resize(last, tall, wide, keep_small=True), 6)
    np.testing.assert_array_equal(drawn("".join(event[2] for event in events), *expected.shape), expected)


def drawn(text: str, rows: int, columns: int) -> np.ndarray:
    """Return the colours that a terminal would show in its upper left corner, as `pair_keys` numbers them."""
    cells, row, column, pen = np.zeros((rows, columns), np.int64), 0, 0, {38: 0, 48: 0}
    for found in re.finditer(r"\x1b\[([?\d;]*)([A-Za-z])|(.)", text, re.DOTALL):
        numbers, letter, glyph = found.groups()
        if letter == "H":
            row, column = (int(value) - 1 for value in numbers.split(";"))
        elif letter == "m":
            values = [int(value) for value in numbers.split(";")]
            while len(values) >= 5 and values[1] == 2:
                pen[values[0]] = values[2] << 16 | values[3] << 8 | values[4]
                values = values[5:]
        elif glyph:
            if row < rows and column < columns:
                cells[row, column] = (pen[48] if glyph == " " else pen[38]) << 24 | pen[48]
            column += 1
    return cells


def test_messages_come_through_pipes_whole() -> None:
    pipe = io.BytesIO()
    write_message(pipe, {"kind": "frame", "value": float("nan")}, b"\x00\x01" * 50_000)
    write_message(pipe, {"kind": "short"})
    whole = pipe.getvalue()
    pipe.seek(0)
    header, payload = read_message(pipe) or ({}, b"")
    assert (header, len(payload)) == ({"kind": "frame", "value": "NaN"}, 100_000)
    assert read_message(pipe) == ({"kind": "short"}, b"")
    assert read_message(pipe) is None
    for cut in (3, 9, 40, 5000):
        assert read_message(io.BytesIO(whole[:cut])) is None


@pytest.mark.parametrize("garbage", [b"\xff" * 64, b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\3\0\0\0\0{}}"])
def test_garbage_ends_the_conversation(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(garbage))


def test_the_record_plays_until_its_policy_is_there_and_goes_on_from_the_playhead(
    watched: Watched, tiny_run: RunDirectory
) -> None:
    recorded = load_replay(replays_of(tiny_run)[-1]).episode
    watched.do("open", source=str(tiny_run.last_checkpoint), preview=True)
    first = watched.said("opened")
    assert (first["recorded"], first["loading"], first["goes_on"]) == (True, True, True)
    assert watched.said("frame")["length"] == recorded.length
    watched.do("seek", to=10)
    assert watched.player.loading is not None
    watched.player.loading.result()
    assert watched.player.tick() is None  # it stands still, and nothing is awaited any more
    second = watched.said("opened")
    assert (second["recorded"], second["loading"], second["seed"]) == (False, False, recorded.seed)
    frame = watched.said("frame")
    assert (frame["live"], frame["at"], frame["length"], frame["branched"]) == (True, 10, 10, False)
    assert frame["attention"] is not None
    watched.do("step", by=recorded.length)
    actions = [row.action for row in watched.player.sides[0].opened.episode.track.rows]
    assert actions == recorded.actions.tolist()  # it is the very episode


def test_what_needs_the_policy_waits_for_it(watched: Watched, tiny_run: RunDirectory) -> None:
    watched.do("open", source=str(tiny_run.last_checkpoint), preview=True)
    watched.do("seek", to=4)
    watched.do("target", value=3.0)
    assert watched.player.loading is None
    assert watched.said("frame")["target"] == 3.0
    watched.do("open", source=str(tiny_run.last_checkpoint), preview=True)
    watched.do("open", source=str(replays_of(tiny_run)[-1]), side=1)
    assert [side.opened.recorded for side in watched.player.sides] == [False, True]


def test_a_policy_that_cannot_be_loaded_leaves_the_record(watched: Watched, tiny_run: RunDirectory) -> None:
    damaged = tiny_run.last_checkpoint.read_bytes()
    tiny_run.last_checkpoint.write_bytes(damaged[: len(damaged) // 2])
    try:
        watched.do("open", source=str(tiny_run.last_checkpoint), preview=True)
        assert watched.player.loading is not None
        with pytest.raises(LamoError):
            watched.player.loading.result()
        watched.player.tick()
    finally:
        tiny_run.last_checkpoint.write_bytes(damaged)
    assert (watched.said("opened")["goes_on"], watched.said("opened")["loading"]) == (False, False)
    assert "damaged" in watched.said("error")["text"]


def test_who_took_over_a_record_without_a_policy_goes_back_to_it(
    watched: Watched, tiny_run: RunDirectory, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.npz"
    alone.write_bytes(replays_of(tiny_run)[-1].read_bytes())
    watched.do("open", source=str(alone))
    assert not watched.said("opened")["goes_on"]
    length = watched.said("frame")["length"]
    watched.do("seek", to=5)
    watched.do("take", on=True)
    watched.do("act", action=1)
    assert (watched.said("frame")["controls"], watched.said("frame")["length"]) == (True, 6)
    watched.do("take", on=False)
    frame = watched.said("frame")
    assert (frame["controls"], frame["length"], frame["person"]) == (False, length, False)
