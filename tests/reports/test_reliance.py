"""What decisions are made from: kept by a run, packed, and told over seeds by reports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lamo_core.analysis.parts import EVERYTHING, PARTS, MeasuredReliance, Reliance
from lamo_core.errors import DataError
from lamo_core.reports.results import gather, result_of
from lamo_core.reports.results_file import merge
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.pack import pack_run
from lamo_core.runs.reliance_file import read_reliance, write_reliance
from tests.reports.conftest import Trained
from tests.reports.test_report_command import lamo

PONG = "atari-pong-1pct"
LAST = 10


def measured(actions: float, step: int = LAST) -> MeasuredReliance:
    shares = {**dict.fromkeys(PARTS, 0.25), "earlier actions": actions, EVERYTHING: 1.0}
    return MeasuredReliance(step, tuple(Reliance(part, share / 2, 0.1, 0.9, share) for part, share in shares.items()))


def kept(run: RunDirectory, actions: float, step: int = LAST) -> RunDirectory:
    write_reliance(run, measured(actions, step))
    return run


def test_a_run_keeps_it_and_takes_it_along(trained: Trained, tmp_path: Path) -> None:
    run = trained(PONG, 0, [1.0])
    assert read_reliance(run) is None
    kept(run, 0.5)
    assert read_reliance(run) == measured(0.5)
    assert read_reliance(pack_run(run, tmp_path / "packed")) == measured(0.5)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"step": 10}',
        b'{"step": "10", "parts": []}',
        b'{"step": 10, "parts": [{"part": "wishes"}]}',
        b'{"step": 10, "parts": [{"part": "everything", "moved": NaN, "low": 0, "high": 1, "share": 1}]}',
        b"{" * 70_000,
    ],
)
def test_a_damaged_file_is_none(trained: Trained, content: bytes) -> None:
    run = trained(PONG, 0, [1.0])
    run.reliance_file.write_bytes(content)
    assert read_reliance(run) is None
    assert result_of(gather(run)).reliance is None


def test_only_what_is_of_the_last_step_counts(trained: Trained) -> None:
    assert result_of(gather(kept(trained(PONG, 0, [1.0]), 0.5, step=LAST - 1))).reliance is None
    record = gather(kept(trained(PONG, 1, [1.0]), 0.5))
    shares = result_of(record).reliance
    assert shares is not None
    assert shares["earlier actions"] == 0.5
    assert EVERYTHING not in shares
    for wrong in ({"wishes": 0.5}, {"newest state": "much"}, {"newest state": -1.0}):
        with pytest.raises(ValueError, match=r"decide|decisions move"):
            result_of({**record, "reliance": wrong})


def test_the_report_tells_means_and_intervals(trained: Trained) -> None:
    for seed, share in enumerate((0.2, 0.3, 0.4)):
        kept(trained(PONG, seed, [1.0]), share)
    kept(trained(PONG, 0, [1.0], ablations=["frozen"]), 0.6)
    trained(PONG, 1, [1.0], ablations=["frozen"])
    text = lamo("--part", "reliance", "--markdown").stdout
    assert "| Pong | 1 % | lamo | 3 | 25 % [-] | 25 % [-] | 30 % [" in text
    assert "| Pong | 1 % | lamo +frozen | 1 | 25 % [-] | 25 % [-] | 60 % [-] | 25 % [-] |" in text
    rows = json.loads(lamo("--json").stdout)["reliance"]
    assert [row["parts"]["earlier actions"]["mean"] for row in rows] == [pytest.approx(0.3), 0.6]


def test_parts_that_a_method_does_not_see_stay_empty(trained: Trained) -> None:
    run = trained(PONG, 0, [1.0])
    whole = measured(0.5)
    write_reliance(run, replace(whole, parts=tuple(row for row in whole.parts if not row.part.startswith("earlier"))))
    assert "| lamo | 1 | 25 % [-] | - | - | 25 % [-] |" in lamo("--part", "reliance", "--markdown").stdout
    assert "swap" not in lamo("--part", "results", "--markdown").stdout


def test_of_two_results_of_a_run_the_one_that_tells_it_is_kept(trained: Trained) -> None:
    run = trained(PONG, 0, [1.0])
    before, after = gather(run), gather(kept(run, 0.5))
    assert merge([before, after]) == merge([after, before]) == merge([after]) == [after]
    with pytest.raises(DataError, match="differ"):
        merge([after, gather(kept(run, 0.6))])
