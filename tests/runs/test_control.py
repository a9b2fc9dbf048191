"""Commands through the control folder, and what they do to a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lamo_core.config import RunConfig
from lamo_core.errors import StorageError, UsageError
from lamo_core.runs.control import (
    SETTINGS,
    Command,
    ControlInbox,
    Interrupts,
    RunControls,
    changed_config,
    send,
)
from lamo_core.runs.directory import RunDirectory
from lamo_core.training.events import Changed, Event, Note
from tests.runs.run_doubles import FakeClock

MakeRun = Callable[..., RunDirectory]


@dataclass
class Requests:
    stop: str | None = None
    checkpoint: bool = False
    evaluate: bool = False


@dataclass
class Session:
    config: RunConfig = field(default_factory=RunConfig)
    step: int = 5


def _inbox(run: RunDirectory) -> tuple[ControlInbox, FakeClock]:
    clock = FakeClock()
    return ControlInbox(run.control, clock=clock), clock


def test_commands_arrive_once_and_in_order(run: RunDirectory) -> None:
    inbox, clock = _inbox(run)
    sent = [send(run, "pause"), send(run, "resume"), send(run, "set", "eval.every", "50"), send(run, "stop")]
    assert inbox.poll() == sent
    assert "@" in sent[0].sender
    clock.now += 1
    assert inbox.poll() == []
    assert list(run.control.iterdir()) == []


def test_the_folder_is_looked_at_every_100_ms_at_most(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, clock = _inbox(run)
    looks: list[None] = []
    names = ControlInbox._names
    monkeypatch.setattr(ControlInbox, "_names", lambda self: looks.append(None) or names(self))
    for _ in range(1000):
        inbox.poll()
        clock.now += 0.001
    assert 9 <= len(looks) <= 11


def test_half_written_and_foreign_files_do_no_harm(run: RunDirectory) -> None:
    inbox, clock = _inbox(run)
    (run.control / "1.part").write_text('{"name":"stop"}')
    (run.control / "2.json").write_text('{"name":"sto')
    (run.control / "3.json").write_text('{"name":"fly"}')
    (run.control / "4.json").write_bytes(b"\xff\x00")
    (run.control / "5.json").write_text('{"name":"pause","setting":3,"unknown":1}')
    (run.control / "6.json").mkdir()
    found = inbox.poll()
    assert [item for item in found if isinstance(item, Command)] == [Command("pause")]
    notes = [item for item in found if isinstance(item, str)]
    assert [note.split()[1] for note in notes] == ["2.json", "3.json", "4.json", "6.json"]
    assert sorted(path.name for path in run.control.iterdir()) == ["1.part", "6.json"]
    clock.now += 1
    assert inbox.poll() == []


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert ControlInbox(tmp_path / "none").poll() == []


def test_old_commands_can_be_thrown_away(run: RunDirectory) -> None:
    send(run, "stop")
    inbox, _ = _inbox(run)
    assert inbox.discard() == 1
    assert inbox.poll() == []


def test_many_senders_lose_nothing(run: RunDirectory) -> None:
    inbox, clock = _inbox(run)
    threads = [threading.Thread(target=lambda: [send(run, "checkpoint") for _ in range(25)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken: list[Command | str] = []
    while any(thread.is_alive() for thread in threads):
        taken += inbox.poll()
        clock.now += 1
    clock.now += 1
    taken += inbox.poll()
    assert [command.name for command in taken if isinstance(command, Command)] == ["checkpoint"] * 100


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("optim.steps", "9", "did you mean|there is no setting that can change while training"),
        ("eval.evry", "9", "did you mean 'eval.every'"),
        ("eval.every", "often", "wants a whole number"),
        ("eval.every", "-1", "must lie between"),
        ("language.weight", "0.5", "without a language loss"),
    ],
)
def test_a_bad_setting_is_refused_before_it_is_sent(run: RunDirectory, setting: str, value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        send(run, "set", setting, value)
    assert list(run.control.iterdir()) == []


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_changeable_setting_changes(setting: str) -> None:
    config = RunConfig.from_dict({"language": {"weight": 0.1}})
    group, leaf = setting.split(".")
    assert changed_config(config, setting, "7").to_dict()[group][leaf] == 7


def test_the_language_loss_cannot_be_switched_off_on_the_way() -> None:
    with pytest.raises(UsageError, match="must stay above 0"):
        changed_config(RunConfig.from_dict({"language": {"weight": 0.1}}), "language.weight", "0")


def test_a_folder_that_cannot_be_written_is_one_sentence(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(StorageError, match="Read-only file system"):
        send(run, "stop")


def _controls(run: RunDirectory) -> tuple[RunControls, FakeClock, list[Event], list[None]]:
    inbox, clock = _inbox(run)
    told: list[Event] = []
    beats: list[None] = []
    controls = RunControls(inbox, Interrupts(), told.append, heartbeat=lambda: beats.append(None), clock=lambda: 9.0)
    return controls, clock, told, beats


def test_commands_reach_the_loop(run: RunDirectory) -> None:
    controls, clock, told, beats = _controls(run)
    requests, session = Requests(), Session()
    for name in ("pause", "pause", "checkpoint", "eval"):
        send(run, name)  # type: ignore[arg-type]
    controls.poll(requests, session)
    assert (controls.paused, requests.checkpoint, requests.evaluate, requests.stop) == (
        True,
        True,
        True,
        None,
    )
    send(run, "resume")
    send(run, "stop")
    send(run, "stop")
    clock.now += 1
    controls.poll(requests, session)
    assert not controls.paused
    assert "@" in str(requests.stop)  # who asked
    assert told == []
    assert len(beats) == 2


def test_a_pause_may_ask_for_the_device_and_going_on_takes_that_back(run: RunDirectory) -> None:
    controls, clock, _, _ = _controls(run)
    seen = []
    for name, free in (("pause", False), ("pause", True), ("pause", False), ("resume", False)):
        send(run, name, free=free)  # type: ignore[arg-type]
        clock.now += 1
        controls.poll(Requests(), Session())
        seen.append((controls.paused, controls.free))
    assert seen == [(True, False), (True, True), (True, True), (False, False)]
    (run.control / "0.json").write_text('{"name":"pause","free":"yes"}')
    clock.now += 1
    controls.poll(Requests(), Session())
    assert (controls.paused, controls.free) == (True, False)


def test_settings_change_and_are_told(run: RunDirectory) -> None:
    controls, clock, told, _ = _controls(run)
    session = Session()
    send(run, "set", "eval.every", "1_000")
    controls.poll(Requests(), session)
    assert session.config.eval.every == 1000
    assert told == [Changed(5, 9.0, name="eval.every", value=1000.0)]
    (run.control / "0.json").write_text('{"name":"set","setting":"seed","value":"1","sender":"a@b"}')
    clock.now += 1
    controls.poll(Requests(), session)
    assert isinstance(told[1], Note)
    assert "ignored a set command of a@b" in told[1].text
    assert session.config.seed == 0


def test_a_stop_counts_before_there_is_a_session_and_the_rest_waits(run: RunDirectory) -> None:
    controls, clock, told, _ = _controls(run)
    send(run, "pause")
    send(run, "set", "eval.every", "7")
    assert not controls.stop_asked()
    clock.now += 1
    send(run, "stop")
    assert controls.stop_asked()
    requests, session = Requests(), Session()
    controls.poll(requests, session)
    assert controls.paused
    assert session.config.eval.every == 7
    assert "@" in str(requests.stop)  # who asked
    clock.now += 1
    controls.poll(requests, session)
    assert len(told) == 1, "what waited is done once"


def test_signals_reach_the_loop(run: RunDirectory) -> None:
    controls, _, _, _ = _controls(run)
    requests: Any = Requests()
    controls.interrupts.stop, controls.interrupts.checkpoint = "SIGTERM", True
    controls.poll(requests, Session())
    assert (requests.stop, requests.checkpoint) == ("SIGTERM", True)
    requests.checkpoint = False
    controls.poll(requests, Session())
    assert not requests.checkpoint, "one signal is one checkpoint"
