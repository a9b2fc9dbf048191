"""The New run screen and what it is made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from lamo_core.engine.run_spec import RunSpec
from lamo_core.errors import UsageError
from lamo_core.runs.directory import run_ids
from lamo_core.runs.index import list_runs
from lamo_core.runs.queue import devices
from lamo_core.runs.timing.estimate import estimate
from lamo_core.settings.presets import preset_names
from lamo_core.tasks import requirements
from lamo_tui.dashboard import new_run_model, run_actions
from lamo_tui.dashboard.app import LamoApp
from lamo_tui.dashboard.new_run_model import NewRuns, runs_on
from lamo_tui.dashboard.screenshot import screen_text
from lamo_tui.screens.new_run.new_run import NewRunScreen
from lamo_tui.screens.rows import Rows
from lamo_tui.screens.run.run import RunScreen
from lamo_tui.screens.welcome import WelcomeScreen, works_text
from lamo_tui.themes import DARK, palette
from tests.tui.conftest import OpenDashboard, look
from tests.tui.replaying import replaying

NO_LORA = RunSpec("atari-breakout-1pct", ablations=("no-lora",))


async def opened(pilot: Pilot[None]) -> NewRunScreen:
    await pilot.press("n")
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, NewRunScreen)
    return screen


async def relist(pilot: Pilot[None]) -> None:
    """Let the dashboard list the folder anew, though its clock stands still."""
    assert isinstance(pilot.app, LamoApp)
    pilot.app.store._listed_at = -float("inf")
    await look(pilot)


async def test_a_choice_shows_its_data_and_command_at_once(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        text = screen_text(pilot.app)
        assert "lamo train --preset atari-breakout-1pct --detach" in text
        assert "9 of 857 episodes" in text
        assert "nothing differs from full LaMo" in text
        # the made-up run of the same preset tells the time
        assert "like k3f9: 4.35 steps/s" in text
        assert "needs   up to" in text
        assert screen.facts is not None
        assert screen.facts.transitions == 9550


async def test_lists_decide_the_run(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab", "down", "tab", "tab", "slash", *"weight-0", "enter", "space", "plus", "plus")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert screen.choice.ratio == 0.1
        assert screen.choice.spec.ablations == ("language-weight-0",)
        assert screen.choice.seeds == (2,)
        words = "lamo train --preset atari-breakout-10pct --ablation language-weight-0 --seed 2 --detach"
        assert screen.choice.command() == words
        assert "86 of 857 episodes" in screen_text(pilot.app)


async def test_search_narrows_the_list_that_has_the_keys(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab", "tab", "tab", "slash", *"rank", "down")
        picker = screen.pickers["ablation"]
        assert [row.key for row in picker.rows.rows] == ["lora-rank-16", "lora-rank-4", "lora-rank-64"]
        await pilot.press("enter", "space")
        await pilot.pause()
        assert screen.choice.spec.ablations == ("lora-rank-4",)
        assert "model.lora_rank" in screen_text(pilot.app)


async def test_any_setting_can_be_changed_and_bad_values_are_refused(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        await pilot.press("e", *"batch_size", "down", "down", "enter")
        await pilot.pause()
        await pilot.press("end", *["backspace"] * 6, *"none", "enter")
        await pilot.pause()
        assert "wants a whole number" in screen_text(pilot.app)
        await pilot.press(*["backspace"] * 4, *"16", "enter")
        await pilot.pause()
        assert screen.choice.spec.settings[-1].endswith("=16")
        await pilot.press("u")
        await pilot.pause()
        assert screen.choice.spec.settings == ()


async def test_enter_starts_the_run_and_opens_it(
    tmp_path: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(run_actions, "launch", lambda run, command: started.append(list(command)))
    async with dashboard(tmp_path / "runs") as pilot:
        await pilot.press("escape")
        await opened(pilot)
        await pilot.press("plus", "enter")
        await look(pilot)
        (run_id,) = run_ids(tmp_path / "runs")
        assert started[0][-2:] == ["--adopt", str(tmp_path / "runs" / run_id)]
        (run,) = list_runs(tmp_path / "runs")
        assert run.settings["seed"] == 1
        assert isinstance(pilot.app.screen, RunScreen)
        assert pilot.app.screen.lamo.opened == run_id


async def test_a_method_is_chosen_with_its_settings(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab", "tab", "slash", *"iql", "enter")
        await pilot.pause()
        assert screen.choice.method == "iql"
        assert screen.choice.resolve().config.method == "iql"
        assert screen.choice.command() == "lamo train --preset atari-breakout-1pct --method iql --detach"
        assert "Implicit Q-learning" in screen_text(pilot.app)


async def test_several_seeds_are_several_runs_in_the_queue(
    tmp_path: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Path] = []
    monkeypatch.setattr(run_actions, "wait_for_device", served.append)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    async with dashboard(tmp_path / "runs") as pilot:
        await pilot.press("escape")
        screen = await opened(pilot)
        await pilot.press("s", "backspace", *"2-1", "enter")
        assert "is no range" in screen_text(pilot.app)
        await pilot.press(*["backspace"] * 3, *"0-2", "enter")
        await pilot.pause()
        assert "seeds 0-2: 3 runs" in screen_text(pilot.app)
        assert screen.choice.command() == "lamo train --preset atari-breakout-1pct --seeds 0-2"
        await pilot.press("enter")
        await look(pilot)
        runs = list_runs(tmp_path / "runs")
        assert sorted((run.settings["seed"], run.state, run.position) for run in runs) == [
            (0, "queued", 1),
            (1, "queued", 2),
            (2, "queued", 3),
        ]
        assert served == [tmp_path / "runs"]
        await relist(pilot)
        assert "queued 3" in screen_text(pilot.app)


async def test_one_run_can_wait_too(tmp_path: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_actions, "wait_for_device", lambda root: None)
    async with dashboard(tmp_path / "runs") as pilot:
        await pilot.press("escape")
        screen = await opened(pilot)
        assert screen.choice.command(waiting=True).endswith("--queue")
        await pilot.press("w")
        await look(pilot)
        (run,) = list_runs(tmp_path / "runs")
        assert run.state == "queued"
        await relist(pilot)
        await pilot.press("s", "y")
        await look(pilot)
        assert list_runs(tmp_path / "runs")[0].state == "stopped"


async def test_a_newcomer_is_welcomed_and_trains_at_once(
    tmp_path: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(run_actions, "launch", lambda run, command: started.append(list(command)))
    async with dashboard(tmp_path / "runs", 80, 24) as pilot:
        text = screen_text(pilot.app)
        assert "Welcome to lamo" in text
        assert "Atari ✓" in text
        await pilot.press("down", "enter")
        for _ in range(3):
            await look(pilot)
        (run_id,) = run_ids(tmp_path / "runs")
        assert started[0][-2:] == ["--adopt", str(tmp_path / "runs" / run_id)]
        assert isinstance(pilot.app.screen, RunScreen)
        assert pilot.app.screen.lamo.opened == run_id


def test_what_is_missing_is_said_with_the_way_to_get_it() -> None:
    colours = palette(DARK, {"background": "#000000"})
    text = works_text([("Atari", ""), ("MuJoCo", "pip install x"), ("GPU", "none")], colours).plain
    assert text == "Atari ✓   MuJoCo –   GPU –   \nMuJoCo: pip install x\nGPU: none"


async def test_the_palette_finds_presets_and_runs(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("ctrl+p", *"paper-atari-q")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await pilot.pause(0.2)
        screen = pilot.app.screen
        assert isinstance(screen, NewRunScreen)
        assert (screen.choice.parts.variant, screen.choice.parts.task) == ("paper", "atari-qbert")
        app = pilot.app
        assert isinstance(app, LamoApp)


async def test_the_palette_finds_presets_of_any_share(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder) as pilot:
        await pilot.press("ctrl+p", *"mujoco-hopper-3pct")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await pilot.pause(0.2)
        screen = pilot.app.screen
        assert isinstance(screen, NewRunScreen)
        assert (screen.choice.parts.task, screen.choice.ratio) == ("mujoco-hopper", 0.03)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_reached_by_its_parts(name: str) -> None:
    runs = new_run_model.runs_of(name)
    assert runs.preset == name
    assert runs.resolve().config.name == name
    assert runs.runs() == [RunSpec(name)]


@pytest.mark.parametrize("variant", ["embedded", "paper"])
def test_any_share_of_the_data_is_named_by_its_preset(variant: str) -> None:
    runs = NewRuns().picking("atari-breakout", 0.007, variant=variant)
    name = "atari-breakout-0.7pct" if variant == "embedded" else "paper-atari-breakout-0.7pct"
    assert runs.command() == f"lamo train --preset {name} --detach"
    assert runs.resolve().config.data.ratio == 0.007
    assert new_run_model.runs_of(name) == runs
    assert "0.7 % of its episodes" in new_run_model.descriptions(runs.spec)[0][1]


def test_a_variant_that_a_task_has_no_presets_of_says_so() -> None:
    runs = NewRuns().picking("mujoco-hopper", 0.01, variant="official")
    assert (runs.parts.task, runs.parts.variant, runs.ratio) == ("mujoco-hopper", "official", 0.01)
    with pytest.raises(UsageError, match="no official preset for mujoco-hopper; choose another variant"):
        runs.resolve()


async def test_lists_offer_the_shares_that_fit_the_task_and_the_chosen_one(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        picker = screen.pickers["ratio"]
        assert [option.title for option in picker.options] == ["0.1 %", "1 %", "10 %", "100 %"]
        screen.choose(new_run_model.runs_of("kitchen-complete-7pct"))
        await pilot.pause()
        assert [option.title for option in picker.options] == ["7 %", "30 %", "50 %", "100 %"]
        await pilot.press("tab", "down")  # what was offered stays in view
        await pilot.pause()
        assert screen.choice.preset == "kitchen-complete-30pct"
        assert len(picker.options) == 4


def test_differences_name_old_value_new_value_and_origin() -> None:
    changed = new_run_model.differences(NewRuns(NO_LORA).with_edit("optim.steps", "10"))
    assert ("model.adapter", "lora", "full", "ablation no-lora") in changed
    assert ("optim.steps", 10, "--set") in [(name, *rest) for name, _, *rest in changed]


def test_an_edit_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="wants a whole number"):
        NewRuns().with_edit("optim.steps", "many")


def test_no_time_is_guessed_without_a_run_like_it(made_folder: Path) -> None:
    runs = list_runs(made_folder)
    config = NewRuns(replace(NO_LORA, ablations=("lora-rank-4",))).with_edit("model.context", "7").resolve().config
    assert estimate(config, runs) is None


def test_histogram_bars_keep_single_episodes_in_sight() -> None:
    assert new_run_model.histogram_lines([1000, 1, 0], 2) == ["█  ", "█▁ "]


async def test_a_newcomer_sees_a_trained_agent_play_and_finds_its_curves(tmp_path: Path) -> None:
    async with replaying(tmp_path / "runs", None) as replay:
        replay.app.push_screen(WelcomeScreen())
        await replay.pilot.pause()
        await replay.press("1")
        for _ in range(3):
            await replay.pilot.pause()
        replay.screen.on_screen_resume()
        await replay.pilot.pause()
        (run_id,) = run_ids(tmp_path / "runs")
        assert replay.screen.states[0].about["loading"]
        loading = replay.link.player.loading
        assert loading is not None
        loading.result()
        await replay.press("space")
        await replay.run(0.5)
        assert replay.screen.states[0].get("live")
        assert replay.screen.states[0].get("attention") is not None
        early = replay.app.root / run_id / "checkpoints" / "000300.pt"
        assert early.is_file()
        await replay.press("escape")
        assert isinstance(replay.app.screen, RunScreen)
        assert replay.app.opened == run_id


async def test_the_list_that_the_keys_are_in_has_room(made_folder: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(made_folder, 80, 24) as pilot:
        await pilot.press("3")
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        text = screen_text(pilot.app)
        for title in ("task", "data", "method", "ablations", "variant", "device"):
            assert f" {title} ─" in text
        before = pilot.app.screen.query_one("#ablation").size.width
        await pilot.press("tab", "tab", "tab")
        await pilot.pause()
        assert pilot.app.screen.query_one("#ablation").size.width > before


async def test_options_that_begin_alike_keep_their_ends(tmp_path: Path, dashboard: OpenDashboard) -> None:
    async with dashboard(tmp_path / "none") as pilot:
        screen = await opened(pilot)
        drawn = [row.draw(14).plain for row in screen.pickers["ablation"].rows.rows]
        assert all(len(text) <= 14 for text in drawn)
        assert "– back…ne-gpt2" in drawn
        assert "· frozen" in drawn
        assert len(set(drawn)) == len(drawn)


async def test_what_cannot_run_here_is_dimmed_with_the_reason_and_refused_without_a_trace(
    tmp_path: Path, dashboard: OpenDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None if name == "mujoco" else name)
    monkeypatch.setattr(run_actions, "launch", lambda run, command: pytest.fail("it was started"))
    monkeypatch.setattr(run_actions, "wait_for_device", lambda root: pytest.fail("it waits"))
    async with dashboard(tmp_path / "runs", 80, 24) as pilot:
        await pilot.press("escape")
        screen = await opened(pilot)
        lacking = {name: set(picker.lacking) for name, picker in screen.pickers.items()}
        assert {"mujoco-hopper", "kitchen-complete"} <= lacking["task"]
        assert "atari-breakout" not in lacking["task"]
        assert lacking["variant"] == {"official", "paper"}
        assert "td3+bc" in lacking["method"]
        assert {"backbone-gpt2", "official-raw-rewards"} <= lacking["ablation"]
        assert "no-pretraining" not in lacking["ablation"]
        assert "– " in screen_text(pilot.app)
        refused = (
            (NewRuns().picking("mujoco-hopper", 0.01), "install"),
            (NewRuns().picking("atari-breakout", 0.01, variant="paper"), "lamo data get"),
            (NewRuns().picking("atari-breakout", 0.01, method="td3+bc"), "does not fit"),
            (NewRuns().picking("atari-breakout", 0.01, ablations=("backbone-gpt2",)), "lamo lm get gpt2"),
            (NewRuns().picking("atari-breakout", 0.01, device="mps"), "no Metal device"),
        )
        monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
        for choice, words in refused:
            screen.choose(choice)
            await pilot.pause()
            assert "✗ cannot start" in screen_text(pilot.app)
            for key in ("enter", "w"):
                pilot.app.clear_notifications()
                await pilot.press(key)
                assert words in "".join(note.message for note in pilot.app._notifications)
            assert pilot.app.screen is screen
        assert run_ids(tmp_path / "runs") == []


async def test_the_ablation_under_the_cursor_is_explained_before_it_is_taken(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab", "tab", "tab", "slash", *"no-pretr", "enter")
        await pilot.pause()
        assert "› no-pretraining:" in screen_text(pilot.app)
        assert screen.choice.spec.ablations == ()
        await pilot.press("tab")
        await pilot.pause()
        assert "›" not in screen_text(pilot.app)


def test_a_data_set_leads_to_runs_on_it() -> None:
    runs = runs_on("mujoco-hopper", "hopper-medium", "")
    assert runs.command() == "lamo train --preset mujoco-hopper-1pct --detach"
    mine = runs_on("atari-breakout", "mine", "collected")
    assert mine.spec.settings == ("data.set=mine", "data.source=collected")
    with pytest.raises(UsageError, match=r"lamo train --set data.set=mine --set data.source=collected"):
        runs_on("gym:CartPole-v1", "mine", "collected")


async def test_the_set_under_the_cursor_is_what_the_new_run_trains_on(
    made_folder: Path, dashboard: OpenDashboard
) -> None:
    async with dashboard(made_folder, first="data") as pilot:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        rows = pilot.app.screen.query_one("#sets", Rows)
        rows.go_to("hopper-medium")
        await pilot.press("enter")
        for _ in range(3):
            await pilot.pause()
        screen = pilot.app.screen
        assert isinstance(screen, NewRunScreen)
        assert screen.choice.parts.task == "mujoco-hopper"
        assert screen.pickers["task"].chosen == "mujoco-hopper"
