"""Signals, tried on a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from lamo_core.runs.control import Interrupts
from lamo_core.runs.signals import catch_signals

LOOP = """
import os, signal, sys, time
from lamo_core.runs.control import Interrupts
from lamo_core.runs.signals import catch_signals

def say(text):
    print(text, flush=True)

wait_for_stop = "stubborn" not in sys.argv
with catch_signals(Interrupts(), announce=lambda name: say("first " + name), leave=lambda: say("leaving"),
                   detached="detached" in sys.argv) as interrupts:
    say("ready")
    while not (interrupts.stop and wait_for_stop):
        time.sleep(0.01)
        if interrupts.checkpoint:
            interrupts.checkpoint = False
            say("checkpoint")
say("saved")
sys.exit(75)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the loop above and wait until it is ready."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LOOP, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert _line(process) == "ready"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_in_order(start: Start, number: signal.Signals) -> None:
    process = start()
    process.send_signal(number)
    assert _line(process) == f"first {number.name}"
    assert _line(process) == "saved"
    assert process.wait(30) == 75


def test_the_second_signal_leaves_at_once(start: Start) -> None:
    process = start("stubborn")
    process.send_signal(signal.SIGINT)
    assert _line(process) == "first SIGINT"
    process.send_signal(signal.SIGTERM)
    assert _line(process) == "leaving"
    assert process.wait(30) == 130


def test_usr1_asks_for_a_checkpoint_only(start: Start) -> None:
    process = start()
    for _ in range(2):
        process.send_signal(signal.SIGUSR1)
        assert _line(process) == "checkpoint"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 75


def test_a_detached_run_does_not_mind_that_the_terminal_closes(start: Start) -> None:
    process = start("detached")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGUSR1)
    assert _line(process) == "checkpoint"
    assert process.poll() is None


def test_handlers_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    announced: list[str] = []
    with catch_signals(Interrupts(), announce=announced.append, leave=lambda: None) as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 0)  # gives the handler its turn
        assert interrupts.stop == "SIGTERM"
    assert announced == ["SIGTERM"]
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_terminal_that_is_gone_does_not_break_the_stop() -> None:
    def gone(name: str) -> None:
        raise OSError(5, "Input/output error")

    with catch_signals(Interrupts(), announce=gone, leave=lambda: None) as interrupts:
        os.kill(os.getpid(), signal.SIGHUP)
        signal.sigtimedwait([], 0)
        assert interrupts.stop == "SIGHUP"
