"""The Replay screen: every key, by what it changes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input

from lamo_core.player.sources import replays_of
from lamo_core.runs.directory import RunDirectory
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.keys import table
from lamo_tui.replay.request import Request
from lamo_tui.replay.source_picker import Sources
from lamo_tui.screens.dialogs import Entry
from lamo_tui.screens.help import HelpScreen
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.run.grid_chart import GridChart
from lamo_tui.screens.run.run import RunScreen
from lamo_tui.screens.runs.runs import RunsScreen
from lamo_tui.text import figure
from lamo_tui.widgets.bars import ActionBars
from lamo_tui.widgets.pixel_view import PixelView
from lamo_tui.widgets.timeline import Timeline
from tests.player.tiny import TARGET, make_checkpoint, make_run, tiny_config
from tests.tui.replaying import make_record, replaying


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Return a run of a policy that learned nothing, in a folder of runs with another one."""
    root = tmp_path_factory.mktemp("replays") / "runs"
    make_run(root, tiny_config())
    return make_run(root, tiny_config())


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a recorded episode with rewards and lost lives."""
    return make_record(tmp_path_factory.mktemp("record") / "made-up.npz")


async def test_it_shows_the_frame_and_what_the_policy_thinks(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        text = screen_text(replay.app)
        assert "tiny s0, step 3" in text
        assert "asked             12" in text
        assert "▸" in text
        view = replay.screen.query_one("#frame-0", PixelView)
        assert view.frames == 1
        assert "attention · mean of all heads" in text
        assert "a layer · h head" in text
        await replay.press("full_stop", "full_stop")
        assert np.shape(replay.screen.states[0].get("attention")) == (3, 3)


async def test_attention_of_any_layer_and_head_can_be_shown(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("full_stop", "full_stop")
        state = replay.screen.states[0]
        layers, heads = state.get("heads")
        mean = state.get("attention")
        await replay.press("a")
        assert f"attention · layer 1/{layers} mean of heads" in screen_text(replay.app)
        await replay.press("h")
        assert f"attention · layer 1/{layers} head 1/{heads}" in screen_text(replay.app)
        assert replay.screen.states[0].get("attention") != mean
        await replay.press("H", "H")
        assert f"layer 1/{layers} head {heads}/{heads}" in screen_text(replay.app)
        await replay.press("full_stop", "b", "r")
        assert f"layer 1/{layers} head {heads}/{heads}" in screen_text(replay.app), "remembered"
        await replay.press("A")
        assert "mean of all heads" in screen_text(replay.app)
        await replay.press("h")
        assert f"layer {layers}/{layers} head 1/{heads}" in screen_text(replay.app), "heads belong to a layer"


async def test_a_record_says_why_it_shows_no_attention(record: Path, tmp_path: Path) -> None:
    async with replaying(tmp_path, record) as replay:
        assert "records hold none" in screen_text(replay.app)
        await replay.press("a", "h")
        assert "records hold no attention" in replay.said()
        assert "goes on live" not in replay.said() + screen_text(replay.app)  # nobody could


async def test_a_record_without_a_policy_offers_no_dead_ends(record: Path, tmp_path: Path) -> None:
    async with replaying(tmp_path, record) as replay:
        bar = screen_text(replay.app).splitlines()[-1]
        assert "target" not in bar
        assert "branch" not in bar
        await replay.press("t")
        assert "no policy beside it" in replay.said()
        assert replay.app.screen is replay.screen
        before = replay.at
        await replay.press("right", "c", "up", "up", "escape")
        assert not replay.screen.in_control
        assert replay.at == (10, before[1])
        await replay.press("escape")
        assert isinstance(replay.app.screen, RunsScreen)


async def test_a_run_plays_its_record_while_the_policy_is_loaded(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, None) as replay:
        replay.screen.open(Request(str(runs.last_checkpoint), play=False, preview=True))
        await replay.pilot.pause()
        await replay.pilot.pause()
        assert "policy loading" in screen_text(replay.app)
        assert replay.at == (0, 60)
        loading = replay.link.player.loading
        assert loading is not None
        loading.result()
        await replay.press("right")
        await replay.run(1.0)
        text = screen_text(replay.app)
        assert "policy loading" not in text
        assert "attention · mean of all heads" in text
        assert replay.screen.states[0].get("live")
        assert replay.screen.look == (0, 0)


async def test_a_record_that_goes_on_live_has_attention_from_there(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, replays_of(runs)[0]) as replay:
        await replay.press("right", "b", "a")
        assert replay.screen.states[0].get("attention") is not None
        assert "attention · layer 1/" in screen_text(replay.app)
        await replay.press("left")
        assert replay.screen.states[0].get("attention") is None
        assert "decided before this policy looked on" in screen_text(replay.app)


async def test_the_choice_is_said_where_there_is_no_room_for_attention(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("f", "a")
        assert "attention · layer 1/" in replay.said()


async def test_play_pause_step_and_speed(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("space")
        assert replay.screen.playing
        await replay.run(1.0)
        assert 14 <= replay.at[0] <= 17
        await replay.press("space")
        assert not replay.screen.playing
        here = replay.at[0]
        await replay.press("full_stop")
        assert replay.at == (here + 1, here + 1)
        await replay.press("comma")
        assert replay.at == (here, here + 1)
        await replay.press("right_square_bracket", "right_square_bracket")
        assert replay.link.player.speed == 4
        await replay.press("left_square_bracket")
        assert replay.link.player.speed == 2
        await replay.press("p")
        assert replay.screen.playing
        await replay.run(60)
        assert replay.at == (60, 60)
        assert "■ the end" in screen_text(replay.app)
        await replay.press("space")
        await replay.run(0.2)
        assert replay.at[0] < 20


async def test_scrubbing_reaches_every_place(record: Path, tmp_path: Path) -> None:
    async with replaying(tmp_path, record) as replay:
        await replay.press("right", "right", "right", "left")
        assert replay.at == (20, 240)
        await replay.press("shift+right")
        assert replay.at[0] == 120
        await replay.press("shift+left")
        assert replay.at[0] == 20
        await replay.press("end")
        assert replay.at[0] == 240
        await replay.press("home")
        assert replay.at[0] == 0
        timeline = replay.screen.query_one("#timeline", Timeline)
        await replay.pilot.click(Timeline, offset=(timeline.size.width // 2, 3))
        await replay.pilot.pause()
        assert 100 < replay.at[0] < 140


async def test_rewards_and_lost_lives_are_one_key_away(record: Path, tmp_path: Path) -> None:
    async with replaying(tmp_path, record) as replay:
        state = replay.screen.states[0]
        paid, lost = state.paid(), state.lost_lives()
        assert len(paid) > 1
        assert len(lost) > 1
        await replay.press("n")
        assert replay.at[0] == paid[0] + 1
        await replay.press("n")
        assert replay.at[0] == paid[1] + 1
        await replay.press("N")
        assert replay.at[0] == paid[0] + 1
        await replay.press("end", "M")
        assert replay.at[0] <= lost[-1] + 1
        await replay.press("home", "m")
        assert replay.at[0] == lost[0] + 1
        await replay.press("home", "N")
        assert replay.at[0] == 0


async def test_what_the_policy_expects_is_drawn(tmp_path: Path) -> None:
    config = tiny_config()
    run = make_run(tmp_path / "runs", replace(config, model=replace(config.model, q_weight=0.1)))
    async with replaying(run.path.parent, run.last_checkpoint) as replay:
        for _ in range(4):
            await replay.press("full_stop")
        outlook = replay.screen.query_one("#outlook", Timeline)
        assert not outlook.display
        await replay.press("v")
        state = replay.screen.states[0]
        assert outlook.display
        assert not replay.screen.query_one("#timeline").display
        assert math.isfinite(state.expected())
        assert f"value · {figure(state.expected())} from here" in screen_text(replay.app)
        await replay.press("v")
        assert not outlook.display


async def test_both_timelines_are_in_view_where_there_is_room(record: Path, tmp_path: Path) -> None:
    async with replaying(tmp_path, record, 200, 60) as replay:
        text = screen_text(replay.app)
        assert "return · 20 asked" in text
        assert "to go · 20 asked; a record keeps no values" in text
        await replay.press("n", "v")
        assert "to go · 19 asked" in screen_text(replay.app)
        assert "both timelines are in view" in replay.said()


async def test_a_marker_holds_on_every_screen(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, replays_of(runs)[0]) as replay:
        await replay.press("right")
        timeline = replay.screen.query_one("#timeline", Timeline)
        assert "⣀" in timeline.picture(60, 7).text()
        await replay.press("2")
        await replay.pilot.pause()
        screen = replay.app.screen
        assert isinstance(screen, RunScreen)
        await replay.press("m", "m")
        assert {chart.marker_mode for chart in screen.query(GridChart)} == {"ascii"}, "in all charts, not in one"
        assert replay.app.view.marker == "ascii"
        await replay.press("5")
        assert "⣀" not in timeline.picture(60, 7).text()
        assert "*" in timeline.picture(60, 7).text()


async def test_a_policy_that_ignores_targets_is_said_to(tmp_path: Path) -> None:
    config = tiny_config()
    run = make_run(tmp_path / "runs", replace(config, model=replace(config.model, return_to_go="none")))
    async with replaying(run.path.parent, run.last_checkpoint) as replay:
        assert "ignores targets" in screen_text(replay.app)
        assert "this policy learns no values" not in screen_text(replay.app)
        await replay.press("v", "t")
        assert "this policy ignores targets: it does" in screen_text(replay.app)
        await replay.press("escape")
        assert "this policy learns no values" in screen_text(replay.app)


async def test_another_target_is_asked_for_while_it_plays(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("space")
        await replay.run(0.5)
        await replay.press("t")
        assert isinstance(replay.app.screen, Entry)
        assert "the data suggest 12, 6" in screen_text(replay.app)
        field = replay.app.screen.query_one(Input)
        field.value = "much"
        await replay.press("enter")
        assert "is a number" in screen_text(replay.app)
        await replay.run(0.5)
        field.value = "99"
        await replay.press("enter")
        assert replay.link.player.sides[0].opened.episode.target == 99
        await replay.run(0.5)
        assert replay.screen.playing
        assert replay.screen.states[0].changes()
        assert "◆" in screen_text(replay.app)
        await replay.press("space", "up")
        assert replay.link.player.sides[0].opened.episode.target == 104
        await replay.press("down", "down")
        assert replay.link.player.sides[0].opened.episode.target == 94


async def test_a_branch_leaves_a_ghost_and_can_be_undone(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("space")
        await replay.run(2.0)
        await replay.press("space", "left", "left")
        here, length = replay.at
        await replay.press("b")
        assert replay.at == (here, here)
        ghost = replay.screen.states[0].ghost
        assert ghost is not None
        assert len(ghost) == length + 1
        await replay.press("u")
        assert replay.at == (here, length)
        await replay.press("u")
        assert replay.at == (here, here)


async def test_playing_yourself_turn_by_turn_and_in_real_time(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("c")
        assert "YOU PLAY" in screen_text(replay.app)
        assert "the policy would" in screen_text(replay.app)
        await replay.press("space", "right", "left", "up")
        rows = replay.link.player.sides[0].opened.episode.track.rows
        assert [row.action for row in rows] == [1, 2, 3]
        await replay.press("p")
        replay.now += 1
        await replay.press("right")
        await replay.run(0.3)
        assert {row.action for row in rows[4:]} == {2}
        replay.now += 1
        replay.screen._let_go()
        held = len(rows)
        await replay.run(0.3)
        assert {row.action for row in rows[held + 1 :]} == {0}
        assert "━" in screen_text(replay.app)
        await replay.press("escape")
        assert not replay.screen.in_control
        await replay.run(0.2)
        assert not rows[-1].person
        assert isinstance(replay.app.screen, type(replay.screen))


async def test_two_play_side_by_side(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint, seed=11) as replay:
        await replay.press("full_stop", "o")
        dialog = replay.app.screen
        assert isinstance(dialog, Sources)
        rows = dialog.query_one(Rows)
        assert any("record" in row.draw(100).plain for row in rows.rows)
        rows.go(len(rows.rows) - 1)  # the other run of the same task
        await replay.press("enter")
        assert len(replay.screen.states) == 2
        assert [state.about["seed"] for state in replay.screen.states] == [11, 11]
        assert [state.at for state in replay.screen.states] == [1, 1]
        text = screen_text(replay.app)
        assert "A · return" in text
        assert "B · return" in text
        await replay.press("tab", "up", "full_stop")
        assert replay.screen.states[1].targets == [TARGET, TARGET + 1]
        assert set(replay.screen.states[0].targets) == {TARGET}
        await replay.press("home")
        assert {state.at for state in replay.screen.states} == {0}
        await replay.press("o")
        assert len(replay.screen.states) == 1
        assert "A · return" not in screen_text(replay.app)


async def test_an_episode_is_kept_as_a_file(
    runs: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PIL")
    monkeypatch.chdir(tmp_path)
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press(*["full_stop"] * 12)
        for name in ("one.gif", "one.cast", "one.npz"):
            await replay.press("s")
            field = replay.app.screen.query_one(Input)
            assert field.value.endswith(".gif")
            field.value = name.replace("one.", "one.x")
            await replay.press("enter")
            assert "is kept as .gif" in screen_text(replay.app)
            field.value = name
            await replay.press("enter")
            assert (tmp_path / name).stat().st_size > 500
            assert f"wrote {tmp_path / name}" in replay.said()


async def test_a_record_goes_on_with_its_runs_policy(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, replays_of(runs)[0]) as replay:
        assert replay.at == (0, 60)
        assert "records hold none" in screen_text(replay.app)
        await replay.press("right", "b", "full_stop")
        assert replay.at == (11, 11)
        assert "no record of it" not in screen_text(replay.app)


async def test_list_seed_full_and_back(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("r")
        assert replay.screen.states[0].about["seed"] == 8
        await replay.press("R", "R")
        assert replay.screen.states[0].about["seed"] == 6
        await replay.press("f")
        assert not replay.screen.query_one("#timelines").display
        assert "space" not in screen_text(replay.app)
        await replay.press("escape")
        assert replay.screen.query_one("#timelines").display
        await replay.press("g")
        assert "draws no pixels" in replay.said()
        await replay.press("l")
        assert isinstance(replay.app.screen, Sources)
        await replay.press("slash", *"nosuch.npz", "enter")
        assert "there is no file nosuch.npz" in screen_text(replay.app)
        await replay.press("escape", "question_mark")
        assert isinstance(replay.app.screen, HelpScreen)
        await replay.press("5", "escape")
        assert isinstance(replay.app.screen, RunsScreen)


async def test_it_stands_still_while_another_screen_is_in_view(record: Path, tmp_path: Path) -> None:
    async with replaying(tmp_path, record, play=True) as replay:
        await replay.run(0.5)
        await replay.press("4")
        assert not replay.link.player.playing
        await replay.press("5")
        assert replay.link.player.playing


async def test_runs_and_run_lead_to_it(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, None) as replay:
        assert "nothing is open" in screen_text(replay.app)
        await replay.press("1", "P")
        assert "tiny s0, step 3" in screen_text(replay.app)
        await replay.press("1", "enter")
        assert isinstance(replay.app.screen, RunScreen)
        await replay.press("P")
        assert replay.app.current_mode == "replay"
        await replay.press("escape")
        assert isinstance(replay.app.screen, RunScreen)


async def test_errors_are_sentences_on_the_screen(runs: RunDirectory, tmp_path: Path) -> None:
    async with replaying(runs.path.parent, tmp_path / "nosuch.pt") as replay:
        assert "there is no file" in replay.said()
        assert "nothing is open" in screen_text(replay.app)


async def test_a_player_that_has_ended_is_started_again(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("full_stop")
        replay.screen.hear({"kind": "busy", "text": "loading", "done": 0, "total": 0}, b"")
        replay.screen.hear({"kind": "gone", "text": "the player has ended"}, b"")
        await replay.pilot.pause()
        assert replay.links[0].closed
        assert replay.screen.link is None
        text = screen_text(replay.app)
        assert "nothing is open" in text
        assert "space starts it again" in text, "in place of the last frame"
        await replay.press("full_stop", "space")
        assert len(replay.links) == 2
        assert len(replay.screen.states) == 1
        assert "space starts it again" not in screen_text(replay.app)


async def test_what_takes_long_is_named_where_the_frame_will_be(runs: RunDirectory) -> None:
    async with replaying(runs.path.parent, None) as replay:
        assert "nothing to play yet" in screen_text(replay.app)
        replay.screen.hear({"kind": "busy", "text": "loading last.pt", "done": 0, "total": 0}, b"")
        await replay.pilot.pause()
        assert screen_text(replay.app).count("loading last.pt…") == 2, "in the head, and in the middle"


@pytest.mark.parametrize("live", [True, False])
async def test_no_key_breaks_it(runs: RunDirectory, live: bool) -> None:
    opening = {"target", "beside", "save", "sources"}
    keys: list[str] = []
    for key in table.REPLAY[:-1]:
        names = key.keys.split(",")
        keys += [name for name in names if live or key.action not in opening]
        if live and key.action in opening:
            keys.append("escape")
    async with replaying(runs.path.parent, runs.last_checkpoint if live else None) as replay:
        await replay.press(*keys)
        assert replay.app.failure is None
        assert len(replay.app.screen_stack) == 1
        assert replay.app.current_mode == "replay"


async def test_no_size_breaks_it(runs: RunDirectory, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path / "other.pt", tiny_config(), seed=5)
    async with replaying(runs.path.parent, runs.last_checkpoint) as replay:
        await replay.press("full_stop", "full_stop")
        for two in (False, True):
            if two:
                replay.screen.open(type(replay.screen.request)(str(other), {"seed": 7}, False), 1)  # type: ignore[misc]
            for _ in ("with panels", "frame alone"):
                for columns, rows in ((30, 8), (160, 20), (12, 4), (120, 40)):
                    await replay.pilot.resize_terminal(columns, rows)
                    await replay.pilot.pause()
                await replay.press("f")
        assert replay.app.failure is None
        assert replay.screen.query_one(ActionBars).display


async def test_a_body_is_steered_joint_by_joint(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    path = make_checkpoint(tmp_path / "hopper.pt", tiny_config("mujoco-hopper"))
    async with replaying(tmp_path, path, height=48) as replay:
        text = screen_text(replay.app)
        assert "thigh" in text
        assert "│" in text
        await replay.press("c", "down", "right")
        rows = replay.link.player.sides[0].opened.episode.track.rows
        np.testing.assert_array_equal(rows[0].action, [0.0, 1.0, 0.0])
        assert "leg: ← → push" in screen_text(replay.app)
