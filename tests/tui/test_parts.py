"""What the dashboard is made from, without a screen: store, alerts, texts, settings, table of keys."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.color import Color
from textual.widgets import Input

import lamo_tui
from lamo_core.errors import UsageError
from lamo_core.runs.metrics.series import Series
from lamo_tui import text, themes
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.keys import bindings, table
from lamo_tui.keys.bindings import KEYS, with_keys
from lamo_tui.replay.frame_rate import CALM, LONGEST, SHORTEST, Rhythm
from lamo_tui.screens.base import TopBar
from lamo_tui.screens.rows import Rows
from lamo_tui.state.alerts import AlertWatch
from lamo_tui.state.run_series import Plot, beside, metric_of, plot, references
from lamo_tui.state.settings import Settings, load_settings, read_settings
from lamo_tui.state.snapshot import RunData
from lamo_tui.state.store import RunStore
from tests.tui.conftest import OpenDashboard
from tests.tui.made_runs import NOW, alive, make_run

RUN = "20261121-014402-atari-breakout-1pct-s0-k3f9"
FINISHED = "20261120-220000-atari-breakout-10pct-s0-aa22"


def store_of(folder: Path) -> RunStore:
    return RunStore(folder, clock=lambda: NOW, alive=alive)


def test_what_is_watched_and_what_is_at_work_is_read(made_folder: Path) -> None:
    store = store_of(made_folder)
    assert store.poll().watched == {}, "the list comes first"
    store.watch([FINISHED, "no-such-run"])
    snapshot = store.poll()
    at_work = {run.id for run in snapshot.runs if run.state in ("running", "stalled", "paused")}
    assert len(at_work) == 4
    assert snapshot.watched.keys() == {FINISHED} | at_work
    data = snapshot.watched[RUN]
    assert len(data.series["loss"]) == 400
    assert data.info["config"]["task"]["name"] == "atari-breakout"
    assert not data.loading


def test_nothing_new_gives_the_very_same_data(made_folder: Path) -> None:
    store = store_of(made_folder)
    store.watch([RUN])
    first = store.poll().watched[RUN]
    assert store.poll().watched[RUN] is first


def test_runs_at_work_that_nobody_looks_at_are_read_less_often(folder: Path) -> None:
    now = [NOW]
    store = RunStore(folder, clock=lambda: now[0], alive=alive)
    store.poll()
    store.poll()
    with (folder / RUN / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"t":1790000000,"step":401,"k":"train","loss":0.5}\n')
    now[0] += 0.5
    assert store.poll().watched[RUN].series["loss"].step[-1] == 400
    now[0] += 0.5
    assert store.poll().watched[RUN].series["loss"].step[-1] == 401


def test_new_lines_are_taken_in_and_half_ones_wait(folder: Path) -> None:
    store = store_of(folder)
    store.watch([RUN])
    before = store.poll().watched[RUN]
    with (folder / RUN / "metrics.jsonl").open("a") as metrics, (folder / RUN / "log.txt").open("a") as log:
        metrics.write('{"t":1790000000,"step":401,"k":"train","loss":0.5}\n{"t":179')
        log.write("a whole line\nhalf")
    after = store.poll().watched[RUN]
    assert after.series["loss"].step[-1] == 401
    assert after.log[-1] == "a whole line"
    assert len(before.series["loss"]) == 400


def test_a_folder_that_is_missing_holds_no_runs(tmp_path: Path) -> None:
    snapshot = store_of(tmp_path / "none").poll()
    assert snapshot.listed
    assert snapshot.runs == ()


def series(values: list[float]) -> dict[str, Series]:
    count = len(values)
    return {"loss": Series(np.arange(1, count + 1), np.arange(count, dtype=float), np.array(values))}


def test_alerts_come_once_and_noise_gives_none() -> None:
    rng = np.random.default_rng(0)
    quiet = (1 + 0.2 * rng.standard_normal(500)).tolist()
    watch = AlertWatch()
    for end in range(10, 501, 7):
        watch.update(series(quiet[:end]))
    assert watch.alerts == []
    values = [*quiet, *[6.0] * 80, float("nan"), float("nan")]
    watch.update(series(values))
    watch.update(series(values))
    assert [alert.kind for alert in watch.alerts] == ["nan", "spike"]
    assert "since step 581" in watch.alerts[0].text


def test_a_loss_that_no_longer_falls_is_an_alert_however_it_is_read() -> None:
    rng = np.random.default_rng(0)
    falling = 2 / np.sqrt(np.arange(1, 3001))
    values = (np.concatenate([falling[:600], np.full(1400, falling[600])]) + 0.01 * rng.standard_normal(2000)).tolist()
    whole, growing = AlertWatch(), AlertWatch()
    whole.update(series(values))
    for end in range(1, 2001, 13):
        growing.update(series(values[:end]))
    growing.update(series(values))
    (alert,) = whole.alerts
    assert growing.alerts == [alert]
    assert alert.kind == "plateau"
    assert 900 < alert.step < 1800, "two thirds of what there was then are nearly flat"
    assert alert.text.startswith("loss has hardly fallen since step ")
    for quiet in (falling.tolist(), [*falling[:700], float("inf"), *[0.1] * 900, float("nan")]):
        watch = AlertWatch()
        watch.update(series(quiet))
        assert "plateau" not in [found.kind for found in watch.alerts]


def test_a_run_that_goes_back_loses_the_alerts_after_that_step() -> None:
    watch = AlertWatch()
    watch.update(series([1.0] * 200 + [float("nan")]))
    assert watch.alerts
    watch.update(series([1.0] * 100))
    assert watch.alerts == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (float("nan"), "NaN"), (float("-inf"), "-inf"), (0.0, "0"), (12345.6, "12,346"), (1e-5, "1.0e-5")],
)
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert text.figure(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5s"), (75, "1m15"), (700, "11m"), (7500, "2h05"), (200_000, "2d")])
def test_times_are_short(seconds: float, shown: str) -> None:
    assert text.short_time(seconds) == shown


def test_sparks_survive_gaps_and_equal_values() -> None:
    assert text.spark([float("nan")], 5) == ""
    assert text.spark([2.0, 2.0], 5) == "▄▄"
    assert text.spark([0.0, float("inf"), 7.0], 5) == "▁█"


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.37, 1.0, 7.0])
def test_bars_have_their_width(share: float) -> None:
    assert len("".join(text.bar(share, 9))) == 9


def test_no_place_has_a_key_twice() -> None:
    for place, (_, keys) in table.PLACES.items():
        names = [name for key in keys for name in key.keys.split(",")]
        assert len(names) == len(set(names)), f"{place}: {sorted(name for name in names if names.count(name) > 1)}"


def test_no_place_hides_what_works_everywhere() -> None:
    for place, (_, keys) in table.PLACES.items():
        own = {name for key in keys for name in key.keys.split(",")}
        for shared in () if place in ("app", "list", "chart") else table.APP:
            assert set(shared.keys.split(",")) - own, f"{shared.id} cannot be reached in {place}"


def test_settings_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert load_settings(path) == Settings()
    path.write_text('theme = "nord"\n[keymap]\n"runs.stop" = "K"\n')
    assert load_settings(path) == Settings("nord", {"runs.stop": "K"})
    path.write_text('[keymap]\n"runs.stopp" = "K"\n')
    with pytest.raises(UsageError, match=r"did you mean 'runs\.stop'"):
        load_settings(path)
    path.write_text("colour = 3\n")
    with pytest.raises(UsageError, match="there is no setting"):
        load_settings(path)


def test_the_dashboard_passes_over_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    keymap = '[keymap]\n"runs.stop" = "K"\n"runs.pause" = ""\n"a" = "b"\n'
    path.write_text(f'theme = "nord"\ncolour = 3\nascii = "yes"\n{keymap}')
    settings, problems = read_settings(path)
    assert settings == Settings("nord", {"runs.stop": "K"})
    assert [next(name for name in ("colour", "ascii", "runs.pause", "'a'") if name in str(one)) for one in problems]
    assert len(problems) == 4
    path.write_text("theme = \n")
    settings, problems = read_settings(path)
    assert settings == Settings()
    assert "not valid TOML" in str(problems[0])


async def test_what_is_passed_over_is_said(made_folder: Path) -> None:
    app = LamoApp(made_folder, follow=False)
    app.doubts = [UsageError("no setting 'colour'")]
    async with app.run_test():
        assert "no setting 'colour'; it is passed over" in str(list(app._notifications)[-1].message)


async def test_sentences_name_the_keys_as_they_were_moved(tmp_path: Path, dashboard: OpenDashboard) -> None:
    moved = {"app.new": "N", "runs.diff": "ctrl+d", "runs.select": "ctrl+x"}
    async with dashboard(tmp_path, settings=Settings(keymap=moved)) as pilot:
        await pilot.press("escape")
        assert "press N to start one" in screen_text(pilot.app)
        await pilot.press("ctrl+d")
        assert "with ^x, then press ^d" in str(list(pilot.app._notifications)[-1].message)


def test_keys_stand_in_place_of_names() -> None:
    assert with_keys("<run.resume> or <*.stop>, <x.y>", {"runs.stop": "S,K"}, "runs") == "r or S, <x.y>"


def test_every_sentence_names_actions_that_there_are() -> None:
    named = {
        found
        for path in Path(lamo_tui.__file__).parent.rglob("*.py")
        for found in re.findall(r"<((?:[a-z]+|\*)\.[a-z-]+)>", path.read_text(encoding="utf-8"))
        if found != "x.y"
    }
    assert len(named) > 20
    for name in named:
        places = ("runs", "run") if name.startswith("*") else ("",)
        assert all(name.replace("*", place) in KEYS for place in places), name


async def test_moved_keys_work_and_are_shown_everywhere(made_folder: Path, dashboard: OpenDashboard) -> None:
    settings = Settings(keymap={"runs.filter": "K"})
    async with dashboard(made_folder, settings=settings) as pilot:
        assert "K filter" in screen_text(pilot.app)
        await pilot.press("K")
        await pilot.pause()
        assert isinstance(pilot.app.focused, Input)


@pytest.mark.parametrize(("columns", "count"), [(60, 1), (80, 1), (110, 1), (120, 2), (160, 2), (200, 3), (300, 3)])
async def test_the_help_tells_every_key(columns: int, count: int, made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, columns, 40) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()

        def lines() -> list[str]:
            return [row.draw(columns).plain for row in pilot.app.screen.query_one(Rows).rows]

        width = (columns - 3 + 3) // count - 3
        parts = [line[1 + number * (width + 3) :][:width].strip() for number in range(count) for line in lines()]
        words = " ".join(" ".join(parts).split())
        for place, (title, keys) in table.PLACES.items():
            for key in keys if place != "help" else ():
                assert title in words
                assert key.text in words.replace(" ".join(bindings.keys_of(key, {})), "", 1)
        assert max(map(len, lines())) <= columns - 1
        heights = [
            max(at for at, line in enumerate(lines()) if line[1 + number * (width + 3) :][:width].strip())
            for number in range(count)
        ]
        assert max(heights) <= 1.25 * min(heights), "columns are about equally high"
        await pilot.press("i")
        await pilot.pause()
        names = " ".join(lines())
        assert all(key.id in names for place, (_, keys) in table.PLACES.items() for key in keys if place != "help")


async def test_the_data_screen_shows_every_card(made_folder: Path, dashboard: OpenDashboard) -> None:
    from lamo_core.data.store.bundled_logs import all_set_names

    async with dashboard(made_folder) as pilot:
        await pilot.press("4")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert [row.key for row in pilot.app.screen.query_one("#sets", Rows).rows] == [*all_set_names(), "get more…"]
        text = screen_text(pilot.app)
        assert "857 episodes, 1,040,177 transitions" in text
        await pilot.press("down")
        await pilot.pause()
        assert "857 episodes, 1,040,177 transitions" not in screen_text(pilot.app)


async def test_a_card_loses_nothing_in_a_small_terminal(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 80, 24) as pilot:
        await pilot.press("4")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        card = pilot.app.screen.query_one("#card", Rows)
        width = card.scrollable_content_region.width
        lines = [row.draw(width).plain for row in card.rows]
        assert max(map(len, lines)) <= width
        assert "q95 308.8, max 428" in " ".join(" ".join(lines).split()), "the end of a long line"
        assert any(line.endswith(" 228") for line in lines), "the number beside the longest bar"
        shown = screen_text(pilot.app)
        await pilot.press("tab", "down")
        await pilot.pause()
        assert card.scroll_offset.y == 1, "a text without a cursor scrolls at once"
        assert screen_text(pilot.app) != shown
        await pilot.resize_terminal(160, 50)
        await pilot.pause()
        await pilot.pause()
        assert any("q95 308.8, max 428" in row.draw(200).plain for row in card.rows), "broken anew"


async def test_the_data_screen_shows_what_was_fetched_and_imported(
    made_folder: Path, dashboard: OpenDashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lamo_core.data.sources.import_set import import_set
    from tests.data.sources.made_sources import d4rl_tables, write_d4rl

    monkeypatch.setenv("LAMO_DATA", str(tmp_path / "data"))
    write_d4rl(tmp_path / "mine.hdf5", d4rl_tables())
    import_set(tmp_path / "mine.hdf5", "mine", "mujoco-hopper", lambda *news: None)
    async with dashboard(made_folder) as pilot:
        await pilot.press("4")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.press("end")
        await pilot.pause()
        assert "lamo data get hopper-medium-v2 --source d4rl" in screen_text(pilot.app)
        await pilot.press("up")
        await pilot.pause()
        assert "mine · imported" in screen_text(pilot.app)
        assert "mine · mujoco-hopper" in screen_text(pilot.app)


async def test_every_theme_can_be_taken(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, attach=RUN) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        seen = set()
        for _ in range(6):
            await pilot.press("ctrl+t")
            await pilot.pause()
            seen.add(app.theme)
        assert len(seen) == 6


async def test_the_key_bar_is_drawn_anew_in_other_colours(
    made_folder: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard(made_folder) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        other = replace(app.colours, primary="#123456")
        monkeypatch.setattr(themes, "palette", lambda *_: other)
        app._recolour()
        await pilot.pause()
        keys = [part.style for part in app.screen._compositor.render_strips()[-1] if part.style and part.style.bold]
        assert {style.color for style in keys} == {Color.parse("#123456")}


async def test_an_error_of_an_action_becomes_a_sentence(tmp_path: Path, dashboard: OpenDashboard) -> None:
    make_run(tmp_path / "runs", "a-done-run-s0-dddd", steps=20, total=20, ending="finished")
    async with dashboard(tmp_path / "runs") as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert any("no process works on it" in str(note.message) for note in pilot.app._notifications)


def test_looks_become_rarer_the_more_they_cost_and_rare_while_nothing_runs() -> None:
    cheap, dear = Rhythm(), Rhythm()
    pauses = [(cheap.pause(0.001 * look, True), dear.pause(0.1 * look, True)) for look in range(20)]
    assert pauses[-1] == (SHORTEST, LONGEST)
    assert cheap.pause(0.02, False) == CALM


async def test_news_that_come_while_a_screen_is_taken_away_do_no_harm(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        app = pilot.app
        assert isinstance(app, LamoApp)
        await app.screen.query_one(TopBar).remove()
        app.tick()
        app.theme = "nord"
        await pilot.pause()
        assert app.failure is None


@pytest.mark.parametrize(("version", "lines"), [("v4", ["random", "data mean"]), ("v5", ["data mean"])])
def test_a_task_without_a_scale_has_no_line_for_random_play(version: str, lines: list[str]) -> None:
    config = {"task": {"name": "mujoco-hopper", "version": version}, "data": {"rewards": "raw"}}
    begun = {"event": "Started", "data_return_mean": 1500.0}
    data = RunData("run", {"config": config}, {}, (begun,), (), (), loading=False, version=1)
    found = references(data, Plot("return", "return", ("return",)), ("blue", "grey", "green"))
    assert [line.name for line in found] == lines


def test_a_loss_is_drawn_beside_what_was_held_out_and_the_constant_guess() -> None:
    steps = np.array([5, 10])
    series = {"loss/decision": 0.3, "loss/held-out": 0.4, "loss/constant": 0.6, "loss/unseen": 0.5}
    recorded = {name: Series(steps, steps * 1.0, np.array([9.0, value])) for name, value in series.items()}
    data = RunData("run", {"config": {}}, recorded, (), (), (), loading=False, version=1)
    (line,) = references(data, plot("loss"), ("blue", "grey", "green"))
    assert (line.name, line.y) == ("constant guess", 0.6)
    assert metric_of(beside(plot("loss")), data) == "loss/held-out"
    del recorded["loss/held-out"], recorded["loss/constant"]
    assert metric_of(beside(plot("loss")), data) == "loss/unseen"
    assert references(data, plot("loss"), ("blue", "grey", "green")) == []
