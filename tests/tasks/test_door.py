"""The door of environments: whatever they return or raise is one sentence that blames them and names step and field."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from lamo_core.config import TaskConfig
from lamo_core.data.collect.recorders import open_recorder
from lamo_core.errors import EnvironmentFault, LamoError, MissingError
from lamo_core.tasks.door import Door
from lamo_core.tasks.gym_tasks import gym_task, make_gym
from lamo_core.tasks.registry import get_task, make_batch
from lamo_core.tasks.rendering.render_env import open_rendered
from lamo_core.tasks.task import Task
from lamo_core.tasks.vector_batch import make_environment
from tests.tasks.faulty import RESETS, SEED, STEP, STEPS, Faulty, register

SAID = {
    "RuntimeError": f"raised RuntimeError in step {STEP} of the episode with seed 3: simulator blew up; mend the env",
    "AssertionError": f"raised AssertionError in step {STEP} of the episode with seed 3; mend",
    "Unspeakable": "raised Unspeakable in step",
    "SystemExit": "tried to end the program in step",
    "escape": r"\x1b]0;title\x07; mend",
    "nan": f"returned an observation whose number 1 is NaN in step {STEP} of the episode with seed 3; mend",
    "inf": "an observation whose number 2 is infinite in step",
    "huge": "an observation whose number 0 is 1e+300, too large for float32, in step",
    "shape": "an observation of shape (7,) instead of (3,) in step",
    "scalar": "an observation of shape () instead of (3,)",
    "text": "an observation that is no array of numbers: an array of shape (3,) and type <U1 in step",
    "nothing": "an observation that is no array of numbers: None in step",
    "reward-nan": f"returned a reward that is NaN in step {STEP}",
    "reward-inf": "returned a reward that is infinite",
    "reward-huge": "returned a reward that is 1e+39, too large for float32,",
    "reward-array": "returned as its reward an array of shape (1,) and type float64, which is not one number in step",
    "reward-none": "returned as its reward None",
    "flag-one": "returned as terminated 1, which is neither True nor False in step",
    "none": "returned None instead of observation, reward, terminated, truncated and info in step",
    "four": "returned 4 values instead of observation, reward",
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Take the environments that a test has registered away again."""
    known = set(gymnasium.registry)
    gym_task.cache_clear()
    yield
    for name in set(gymnasium.registry) - known:
        if _of_a_test(name):
            del gymnasium.registry[name]


def _of_a_test(name: str) -> bool:
    """Return whether a test registered it, not a package that stays imported."""
    return not isinstance(entry := gymnasium.registry[name].entry_point, str) or entry.startswith("tests.")


def bare(how: str, where: str = "step") -> Door:
    """Return the environment right behind its door, without anything of Gymnasium between."""
    return Door(Faulty(how, where), f"Faulty-{how}")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("how", STEPS)
def test_a_fault_in_a_step_is_one_sentence(how: str) -> None:
    door = bare(how)
    door.reset(seed=3)
    for _ in range(STEP - 1):
        door.step(np.zeros(2))
    with pytest.raises(EnvironmentFault) as caught:
        door.step(np.zeros(2))
    text = str(caught.value)
    assert text.startswith(f"the environment Faulty-{how} ")
    assert SAID.get(how, f"in step {STEP} of the episode with seed 3") in text
    assert text.endswith("mend the environment; the policy is not to blame")
    assert text.isprintable()
    assert caught.value.exit_code == 8


@pytest.mark.parametrize("how", RESETS)
def test_a_fault_in_reset_is_one_sentence(how: str) -> None:
    with pytest.raises(EnvironmentFault, match=r"^the environment Faulty-\S+ .* in reset with seed 3(: .*)?; mend"):
        bare(how, "reset").reset(seed=3)


def _batch(task: str) -> None:
    batch = make_batch(TaskConfig(name=task), 3)
    batch.reset(np.array([1, 2, 3]))
    for _ in range(STEP):
        batch.step(np.zeros((3, 2)))


def _recorder(task: str) -> None:
    recorder = open_recorder(TaskConfig(name=task))
    recorder.begin(3, "nobody")
    for _ in range(STEP):
        recorder.step(np.zeros(2))


def _shown(task: str) -> None:
    shown = open_rendered(TaskConfig(name=task), height=30)
    shown.reset(3, 0)
    for _ in range(STEP):
        shown.step(np.zeros(2))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("where", ["step", "reset"])
@pytest.mark.parametrize("play", [_batch, _recorder, _shown])
@pytest.mark.parametrize("how", ["RuntimeError", "SystemExit", "nan", "huge", "shape", "none", "nothing"])
def test_nobody_reaches_an_environment_but_through_the_door(how: str, play: Any, where: str) -> None:
    task = register(how, where)
    with pytest.raises(EnvironmentFault, match=f"^the environment {task} "):
        play(task)


@pytest.mark.parametrize("how", ["RuntimeError", "SystemExit", "Unspeakable", "OSError"])
def test_a_fault_while_it_is_made_is_the_environments(how: str) -> None:
    with pytest.raises(EnvironmentFault, match=r"^the environment FaultyMaking-\S+ .* while it was made"):
        get_task(register(how, "making"))


def test_of_several_that_one_cannot_be_made_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    task = register("nan", late=True)
    get_task(task)
    made: list[Door] = []
    closed: list[Door] = []
    monkeypatch.setattr(Door, "close", lambda self: closed.append(self))

    def make(config: TaskConfig, task: Task) -> Door:
        if len(made) == 2:
            raise EnvironmentFault("no third one")
        made.append(bare("nan"))
        return made[-1]

    monkeypatch.setattr("lamo_core.tasks.vector_batch.make_environment", make)
    with pytest.raises(EnvironmentFault, match="no third one"):
        make_batch(TaskConfig(name=task), 3)
    assert closed == made


def test_modules_that_register_environments_are_behind_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text, error in (
        ("broken_module", "1 / 0", EnvironmentFault),
        ("leaving_module", "raise SystemExit(3)", EnvironmentFault),
        ("lacking_module", "import not_there_at_all", MissingError),
    ):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setenv("LAMO_ENVIRONMENTS", name)
        with pytest.raises(error, match=name):
            make_gym("gym:CartPole-v1")


def test_what_is_usual_passes_as_it_is() -> None:
    large = np.float32([1e20, -3e38, 2.0])
    for observation in (np.zeros(3), large, large.astype(float), np.arange(3), [1, 2, 3]):
        for reward in (1.5, np.float32(1.5), np.float64(1.5), np.array(1.5)):
            for flag in (True, np.True_):
                door = Door(_Returning((observation, reward, flag, np.False_, {"kept": 1})), "kind")
                seen, paid, *others = door.step(np.zeros(2))
                np.testing.assert_array_equal(seen, np.asarray(observation))
                assert (paid, type(paid), others) == (1.5, float, [True, False, {"kept": 1}])


class _Returning:
    """An environment that returns what it is told to."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,))

    def __init__(self, returned: Any) -> None:
        self.step = lambda action: returned


def test_an_action_that_is_no_number_is_not_blamed_on_the_environment() -> None:
    door = bare("nan")
    door.reset(seed=0)
    for _ in range(STEP - 1):
        door.step(np.zeros(2))
    with pytest.raises(LamoError, match="the action in step 5 of Faulty-nan is not a finite number") as caught:
        door.step(np.array([np.nan, 0.0]))
    assert not isinstance(caught.value, EnvironmentFault)
    recorder = open_recorder(TaskConfig(name=register("nan", late=True)))
    recorder.begin(0, "nobody")
    with pytest.raises(LamoError, match="chose no finite action in step 1"):
        recorder.step(np.array([np.nan, 0.0]))


def test_ctrl_c_passes_unless_only_the_environment_can_have_raised_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(_Returning):
        def step(self, action: object) -> None:
            raise KeyboardInterrupt

        def __init__(self) -> None:
            """Return nothing."""

    door = Door(Interrupted(), "kind")
    with pytest.raises(KeyboardInterrupt):
        door.step(np.zeros(2))
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        with pytest.raises(EnvironmentFault, match="raised KeyboardInterrupt in step 2"):
            door.step(np.zeros(2))
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_environment_that_fails_to_close_harms_nobody() -> None:
    class Stubborn(_Returning):
        def close(self) -> None:
            raise SystemExit(1)

    Door(Stubborn(None), "kind").close()


def test_an_array_that_is_used_again_does_not_change_what_was_recorded() -> None:
    class Reusing(Faulty):
        def __init__(self) -> None:
            super().__init__("nan", late=True)
            self.seen = np.zeros(3, np.float32)

        def reset(self, **options: Any) -> Any:
            super().reset(**options)
            self.seen[:] = 0.0
            return self.seen, {}

        def step(self, action: Any) -> Any:
            self.seen += 1.0
            return (self.seen, *super().step(action)[1:])

    gymnasium.register("Reusing-v0", entry_point=Reusing)
    recorder = open_recorder(TaskConfig(name="gym:Reusing-v0"))
    recorder.begin(0, "nobody")
    for _ in range(8):
        recorder.step(np.zeros(2))
    assert recorder.episode().observations[:, 0].tolist() == list(range(9))  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["mujoco-hopper", "mujoco-reacher2d", "kitchen-complete", "gym:CartPole-v1"])
def test_every_task_with_vectors_is_behind_it(name: str) -> None:
    if not name.startswith("gym:"):
        pytest.importorskip("mujoco")
    if name.startswith("kitchen"):
        pytest.importorskip("gymnasium_robotics")
    environment = make_environment(TaskConfig(name=name), get_task(name))
    assert isinstance(environment, Door)
    assert environment.name == name
    assert environment.unwrapped is not None


@pytest.mark.parametrize("call", ["reset", "step"])
def test_games_are_behind_it_too(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lamo_core.tasks.atari.atari_emulator import AtariEmulator

    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("the console burnt down")

    batch, emulator = make_batch(TaskConfig(name="atari-breakout", noop_max=0), 1), AtariEmulator("breakout")
    emulator.reset(0)
    batch.reset(np.array([0]))
    game = batch._games[0]  # type: ignore[attr-defined]
    monkeypatch.setattr(game, "reset" if call == "reset" else "recv", fail)
    with pytest.raises(EnvironmentFault, match=r"atari-breakout raised RuntimeError in .*: the console burnt down"):
        batch.reset(np.array([0])) if call == "reset" else batch.step(np.array([0]))
    monkeypatch.setattr(emulator, "_console", type("Burnt", (), {"setInt": fail, "act": fail})())
    with pytest.raises(EnvironmentFault, match=r"breakout raised RuntimeError in .*: the console burnt down"):
        emulator.reset(0) if call == "reset" else emulator.step(0)


def test_only_episodes_that_are_late_fail() -> None:
    batch = make_batch(TaskConfig(name=register("nan", late=True)), 1)
    for seed, fails in ((SEED - 1, False), (SEED, True)):
        batch.reset(np.array([seed]))
        for step in range(8):
            if fails and step == STEP - 1:
                with pytest.raises(EnvironmentFault):
                    batch.step(np.zeros((1, 2)))
                break
            _, _, _, truncated = batch.step(np.zeros((1, 2)))
        assert fails or truncated[0]
