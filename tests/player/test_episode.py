"""An episode that is looked at: the same as the evaluation's, and any place of it can be left another way."""

from __future__ import annotations

import os
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lamo_core.errors import DataError, UsageError
from lamo_core.evaluation.replay_file import load_replay
from lamo_core.player.history import track_of
from lamo_core.player.sources import Opened, Opener, Wanted, replays_of
from lamo_core.player.state_cache import Moments
from lamo_core.runs.directory import RunDirectory
from tests.player.tiny import TARGET, make_checkpoint, play, tiny_config


def opened(opener: Opener, source: object, **wanted: object) -> Opened:
    return opener.open(str(source), Wanted(**wanted), lambda text: None)  # type: ignore[arg-type]


def actions(episode: object) -> list[int]:
    return [row.action for row in episode.track.rows]  # type: ignore[attr-defined]


@pytest.mark.parametrize("context", ["chunked", "sliding"])
def test_a_live_episode_is_that_of_the_evaluation(context: str, tmp_path: Path, opener: Opener) -> None:
    path = make_checkpoint(tmp_path / "c.pt", tiny_config(context=context))
    expected = play(path)
    live = opened(opener, path).episode
    while live.advance():
        pass
    assert actions(live) == expected.actions.tolist()
    assert live.track.result(live.seed, live.noops).ret == expected.ret
    assert [row.asked for row in live.track.rows] == pytest.approx(expected.returns_to_go.tolist())
    assert live.track.ended == "truncated"
    assert live.over


def test_scrubbing_shows_the_same_pictures(tiny_run: RunDirectory, opener: Opener) -> None:
    live = opened(opener, tiny_run.last_checkpoint).episode
    seen = [live.picture().copy()]
    for _ in range(40):
        live.advance()
        seen.append(live.picture().copy())
    assert (seen[0] != seen[40]).any()
    for to in (39, 0, 17, 16, 15, 40, 3):
        live.seek(to)
        np.testing.assert_array_equal(live.picture(), seen[to])
    live.seek(1000)
    assert live.at == 40
    live.seek(-5)
    assert live.at == 0


def test_a_branch_that_changes_nothing_goes_the_same_way(tiny_run: RunDirectory, opener: Opener) -> None:
    live = opened(opener, tiny_run.last_checkpoint).episode
    for _ in range(40):
        live.advance()
    before = actions(live)
    live.seek(21)
    assert live.branch()
    assert len(live) == 21
    for _ in range(19):
        live.advance()
    assert actions(live) == before
    live.swap()
    assert actions(live) == before
    assert not live.branch()


def test_another_target_is_asked_from_the_playhead_on(tiny_run: RunDirectory, opener: Opener) -> None:
    live = opened(opener, tiny_run.last_checkpoint).episode
    for _ in range(30):
        live.advance()
    chances = live.proposal().values  # type: ignore[union-attr]
    assert not live.set_target(-500.0)
    assert (live.proposal().values != chances).any()  # type: ignore[union-attr]
    live.advance()
    assert live.track.rows[29].target == TARGET
    assert live.track.rows[30].target == -500.0
    assert live.track.rows[30].asked == -500.0 - live.track.earned[30]
    live.set_target(TARGET)
    live.seek(30)
    live.set_target(TARGET)
    np.testing.assert_allclose(live.proposal().values, chances, rtol=1e-4)  # type: ignore[union-attr]


def test_a_person_plays_and_the_policy_goes_on_from_there(tiny_run: RunDirectory, opener: Opener) -> None:
    live = opened(opener, tiny_run.last_checkpoint).episode
    for _ in range(5):
        live.advance()
    live.person = True
    for _ in range(20):
        live.advance(3)
    assert actions(live)[5:] == [3] * 20
    assert all(row.person and row.values is not None for row in live.track.rows[5:])
    live.person = False
    after = live.proposal().values  # type: ignore[union-attr]
    # the same past, shown to a policy that saw nothing of it before
    fresh = opened(opener, tiny_run.last_checkpoint).episode
    fresh.track, fresh._here = live.track.cut(25), -1
    fresh.track.contexts = Moments(16, 24)
    fresh.seek(25)
    np.testing.assert_allclose(fresh.proposal().values, after, rtol=1e-4)  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="actions 0 to 3"):
        live.advance(9)


def test_a_record_plays_without_a_policy_and_goes_on_with_one(tiny_run: RunDirectory, opener: Opener) -> None:
    path = replays_of(tiny_run)[0]
    record = opened(opener, path)
    episode = record.episode
    assert len(episode) == 60
    assert not episode.scan(1000)
    assert len(episode.track.lives) == 61
    for _ in range(30):
        assert episode.advance()
    assert episode.pilot is None
    with pytest.raises(UsageError, match="no policy"):
        episode.branch()
    before = actions(episode)
    opener.add_policy(record, lambda text: None)
    episode.branch()
    for _ in range(30):
        episode.advance()
    assert actions(episode) == before


def test_a_record_without_a_run_says_so_but_a_person_may_go_on(
    tiny_run: RunDirectory, opener: Opener, tmp_path: Path
) -> None:
    lone = tmp_path / "lone.npz"
    lone.write_bytes(replays_of(tiny_run)[0].read_bytes())
    record = opened(opener, lone)
    with pytest.raises(UsageError, match="open a checkpoint"):
        opener.add_policy(record, lambda text: None)
    record.episode.seek(10)
    record.episode.person = True
    assert record.episode.branch()
    assert record.episode.advance(2)
    assert len(record.episode) == 11


def test_a_record_that_does_not_come_back_is_refused(tiny_run: RunDirectory, opener: Opener) -> None:
    episode = opened(opener, replays_of(tiny_run)[0]).episode
    episode.track.rows[4] = replace(episode.track.rows[4], reward=99.0)
    for _ in range(4):
        episode.advance()
    with pytest.raises(DataError, match="did not come back"):
        episode.advance()


def test_a_record_gives_back_what_was_recorded(tiny_run: RunDirectory) -> None:
    played = load_replay(replays_of(tiny_run)[0]).episode
    back = track_of(played, clipped=False).result(played.seed, played.noops)
    assert back.actions.tolist() == played.actions.tolist()
    assert back.actions.dtype == played.actions.dtype
    assert back.probabilities is not None
    assert played.probabilities is not None
    np.testing.assert_array_equal(back.probabilities, played.probabilities)
    assert (back.ret, back.target, back.truncated) == (played.ret, played.target, played.truncated)


def test_clipped_rewards_count_by_their_sign(tiny_run: RunDirectory) -> None:
    played = load_replay(replays_of(tiny_run)[0]).episode
    loud = replace(played, rewards=np.where(np.arange(60) % 10 == 3, 7.0, 0.0))
    assert track_of(loud, clipped=True).earned[-1] == 6
    assert track_of(loud, clipped=False).earned[-1] == 42


def test_kept_moments_are_bounded_and_reach_everywhere() -> None:
    moments: Moments[int] = Moments(4, 8)
    for at in range(1000):
        if moments.wants(at):
            moments.keep(at, at)
    assert len(moments) <= 8
    assert moments.before(0) == (0, 0)
    for at in (7, 500, 999):
        found = moments.before(at)
        assert found is not None
        assert found[0] <= at
        assert at - found[0] < moments.every
    cut = moments.until(300)
    assert cut.before(999) == moments.before(300)
    assert moments.before(999) != cut.before(999)


def test_a_simulated_body_is_played_scrubbed_and_steered(tmp_path: Path, opener: Opener) -> None:
    pytest.importorskip("mujoco")
    path = make_checkpoint(tmp_path / "hopper.pt", tiny_config("mujoco-hopper"))
    live = opened(opener, path, height=48).episode
    expected = play(path)
    while live.advance():
        pass
    np.testing.assert_array_equal(np.stack(actions(live)), expected.actions)  # type: ignore[arg-type]
    live.seek(5)
    picture = live.picture().copy()
    live.seek(2)
    live.advance()
    live.seek(5)
    np.testing.assert_array_equal(live.picture(), picture)
    live.branch()
    live.person = True
    live.advance([1.0, -3.0, 0.0])
    assert live.track.rows[5].action.tolist() == [1.0, -1.0, 0.0]
    with pytest.raises(UsageError, match="takes 3 numbers"):
        live.advance([0.0])


def test_policies_that_were_played_before_leave_the_memory(tmp_path: Path) -> None:
    opener, checkpoint = Opener(), make_checkpoint(tmp_path / "a.pt", tiny_config())
    seen = []
    for moment in range(4):
        os.utime(checkpoint, (moment, moment))  # as a training does that goes on
        seen.append(weakref.ref(opener.load(checkpoint, lambda text: None)[0]))
    assert [one() is not None for one in seen] == [False, False, True, True]
