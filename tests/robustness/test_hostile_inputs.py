"""Files from strangers, thousands for each reader: none is obeyed, none crashes, hangs or fills the memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.robustness import trial
from tests.robustness.binary_readers import BINARY
from tests.robustness.canary import fire
from tests.robustness.conftest import Keep
from tests.robustness.doors import DOORS
from tests.robustness.text_readers import TEXT
from tests.robustness.trial import Outcome, Reader, try_inputs

pytestmark = pytest.mark.robustness
_SLOWER = 5
"""Slow readers get one input where fast ones get so many."""
_AT_ONCE = 250


@pytest.mark.parametrize(
    "reader", sorted((*BINARY, *TEXT, *DOORS), key=lambda reader: reader.slow), ids=lambda reader: reader.name
)
def test_hostile_inputs_are_read_or_refused(
    reader: Reader, tmp_path: Path, keep: Keep, pytestconfig: pytest.Config
) -> None:
    count = pytestconfig.getoption("--robustness-inputs") // (_SLOWER if reader.slow else 1)
    seed, total = pytestconfig.getoption("--robustness-seed"), Outcome()
    for first in range(0, count, _AT_ONCE):
        total.add(try_inputs(reader, tmp_path, range(first, min(first + _AT_ONCE, count)), seed))
        keep(f"hostile inputs, seed {seed}", reader.name, total.counts(reader))
    assert total.inputs == count
    assert not total.failures, f"{dict(total.failures)}; the first of each: {total.examples}"
    assert total.refused or reader in DOORS, "nothing was hostile enough"


def _hang(folder: Path) -> None:
    while True:
        pass


def _grow(folder: Path) -> None:
    bytearray(80 << 20)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (_hang, "hang"),
        (_grow, "memory beyond 50 MiB"),
        (lambda folder: os._exit(os.kill(os.getpid(), 11) or 1), "obeyed: os.kill"),
        (lambda folder: os.abort(), "crash by signal 6"),
        (lambda folder: fire(), "obeyed: lamo.canary"),
        (lambda folder: os.system("true"), "obeyed: os.system b'true'"),
        (lambda folder: Path("/etc/nothing").write_text("x"), "obeyed: open /etc/nothing"),
        (lambda folder: {}["x"], "traceback: KeyError"),
    ],
)
def test_a_trial_tells_each_kind_of_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: object, kind: str
) -> None:
    monkeypatch.setattr(trial, "HANG_SECONDS", 0.2)
    reader = Reader("x", lambda folder: None, lambda *_: None, read, memory=50 << 20)  # type: ignore[arg-type]
    found = try_inputs(reader, tmp_path, range(2), 0)
    assert found.inputs == 2
    assert sum(found.failures.values()) == 2
    assert next(iter(found.failures)).startswith(kind), found.failures
