"""Mirrors hold every step once, as metrics.jsonl does, whatever was killed and resumed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lamo_core.config import RunConfig
from lamo_core.errors import MissingError, UsageError
from lamo_core.exchange import mirror as mirrors
from lamo_core.exchange import trackers
from lamo_core.exchange.metric_rows import Row, RowTail
from lamo_core.exchange.mirror import bring_up_to_date, enrol, mirroring, read_mirror
from lamo_core.exchange.trackers import Mirrored, parse_trackers
from lamo_core.runs.create import create_run
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.metrics.series import MetricsTail
from lamo_core.runs.writer import RunWriter
from lamo_core.training.events import CheckpointSaved, EvalDone, Event, Stopped
from lamo_tui.cli.app import run as lamo
from tests.runs.run_doubles import score, started, step_done


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create_run(tmp_path / "runs", RunConfig(), {}, ["lamo", "train"])


def saved(step: int, best: bool = False) -> CheckpointSaved:
    return CheckpointSaved(step, 1.0, path="x", best=best)


def evaluated(step: int) -> EvalDone:
    return EvalDone(step, 1.0, scores=(score([1.0, 2.0]),), seconds=0.5)


def stopped(step: int, reason: Any = "finished") -> Stopped:
    return Stopped(step, 1.0, reason=reason, message="")


class Fake:
    """A tracker that remembers what it was told, per name of a run."""

    held: ClassVar[dict[str, list[Row]]] = {}
    fails_after: ClassVar[int | None] = None
    opened: ClassVar[list[Mirrored]] = []

    def __init__(self, mirrored: Mirrored) -> None:
        if mirrored.fresh:
            self.held[mirrored.name] = []
        self.rows = self.held[mirrored.name]
        self.opened.append(mirrored)

    def log(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if self.fails_after is not None and len(self.rows) >= self.fails_after:
                raise ConnectionError("the tracker is down\nand says more")
            self.rows.append(row)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    Fake.held, Fake.opened, Fake.fails_after = {}, [], None
    monkeypatch.setitem(trackers._KINDS, "fake", ("json", Fake))
    monkeypatch.setattr(mirrors, "NAMES", ("fake", "tensorboard"))
    return Fake


def written(run: RunDirectory, *events: Event) -> None:
    """Let a process write events; one that does not end with `Stopped` was killed."""
    writer = RunWriter(run)
    for event in events:
        writer.write(event)
    writer.close()


def expected(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    tail = MetricsTail(run.metrics_file)
    tail.poll_all()
    series = {name: tail.series(name) for name in tail.names}
    return {name: list(zip(one.step.tolist(), one.value.tolist(), strict=True)) for name, one in series.items()}


def of_rows(rows: Sequence[Row]) -> dict[str, list[tuple[int, float]]]:
    names = dict.fromkeys(name for row in rows for name in row.values)
    return {name: [(row.step, row.values[name]) for row in rows if name in row.values] for name in names}


def test_only_what_a_checkpoint_made_final_is_sent(run: RunDirectory) -> None:
    written(run, started(), *(step_done(step) for step in range(1, 6)), saved(4, best=True), saved(5))
    report = bring_up_to_date(run, "fake")
    # an evaluation at the checkpoint's own step may follow
    assert [row.step for row in Fake.held[run.id]] == [1, 2, 3, 4]
    assert (report.rows, report.left) == (4, 1)
    assert bring_up_to_date(run, "fake").rows == 0


def test_a_kill_and_a_resume_leave_every_step_once(run: RunDirectory) -> None:
    first = [step_done(step) for step in range(1, 8)]
    written(run, started(), *first[:5], saved(5), evaluated(5), *first[5:])
    bring_up_to_date(run, "fake")
    again = [step_done(step, loss=0.25) for step in range(6, 11)]
    written(run, started(5), *again, evaluated(10), saved(10), stopped(10))
    report = bring_up_to_date(run, "fake")
    assert not report.again
    assert of_rows(Fake.held[run.id]) == expected(run)
    assert Counter(row.step for row in Fake.held[run.id]) == Counter(range(1, 11))


def test_a_run_that_goes_back_before_its_mirror_is_mirrored_anew(run: RunDirectory) -> None:
    written(run, started(), *(step_done(step) for step in range(1, 9)), saved(8), stopped(8, "stop"))
    bring_up_to_date(run, "fake")
    written(run, started(4), *(step_done(step, loss=9.0) for step in range(5, 7)), saved(6), stopped(6, "stop"))
    report = bring_up_to_date(run, "fake")
    assert report.again
    assert report.name == f"{run.id}-2"
    assert of_rows(Fake.held[report.name]) == expected(run)


def test_what_may_have_arrived_is_not_sent_twice(run: RunDirectory) -> None:
    written(run, started(), *(step_done(step) for step in range(1, 9)), saved(8), stopped(8))
    Fake.fails_after = 3
    with pytest.raises(ConnectionError):
        bring_up_to_date(run, "fake")
    assert read_mirror(run, "fake").sending == 8
    Fake.fails_after = None
    report = bring_up_to_date(run, "fake")
    assert report.again
    assert of_rows(Fake.held[report.name]) == expected(run)


@pytest.mark.parametrize("text", ["", "[]", "{}x", '{"copy": "1"}', '{"other": 1}'])
def test_a_damaged_note_begins_a_mirror_anew(run: RunDirectory, text: str) -> None:
    written(run, started(), *(step_done(step) for step in range(1, 4)), saved(3), stopped(3))
    bring_up_to_date(run, "fake")
    (run.path / "mirror-fake.json").write_text(text)
    report = bring_up_to_date(run, "fake")
    assert of_rows(Fake.held[report.name]) == expected(run)


def test_numbers_that_are_none_arrive_as_they_were(run: RunDirectory) -> None:
    written(run, started(), step_done(1, loss=float("nan")), step_done(2, loss=float("inf")), saved(2), stopped(2))
    bring_up_to_date(run, "fake")
    losses = [row.values["loss"] for row in Fake.held[run.id]]
    assert losses[0] != losses[0]
    assert losses[1] == float("inf")


def test_a_long_run_is_read_in_linear_time(run: RunDirectory) -> None:
    lines = [json.dumps({"t": 1.0, "step": step, "k": "train", "loss": 0.5}) for step in range(60_000)]
    run.metrics_file.write_text("\n".join(lines) + "\n")
    tail = RowTail(run)
    tail.poll()
    assert len(tail.pending) == 60_000


def train_through(run: RunDirectory, events: Sequence[Event], said: Callable[[str], None]) -> None:
    with RunWriter(run) as writer, mirroring(run, said) as listen:
        for event in events:
            writer.write(event)
            listen(event)


WHOLE: list[Event] = [
    started(),
    *(step_done(step) for step in range(1, 6)),
    saved(5),
    *(step_done(step) for step in range(6, 9)),
    evaluated(8),
    saved(8),
    stopped(8),
]


def test_a_run_that_trains_is_mirrored_as_it_goes(run: RunDirectory) -> None:
    enrol(run, ["fake"])
    said: list[str] = []
    train_through(run, WHOLE, said.append)
    assert said == []
    assert of_rows(Fake.held[run.id]) == expected(run)
    assert len(Fake.opened) == 1, "it stays open between checkpoints"


def test_a_tracker_that_is_down_stops_nothing(run: RunDirectory) -> None:
    enrol(run, ["fake"])
    Fake.fails_after = 2
    said: list[str] = []
    train_through(run, WHOLE, said.append)
    assert said == [
        f"fake is not up to date (the tracker is down); training goes on; later: lamo runs mirror {run.id} --to fake"
    ]


def test_a_tracker_that_never_answers_is_left_behind(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    enrol(run, ["fake"])
    release = threading.Event()
    monkeypatch.setattr(Fake, "log", lambda self, rows: release.wait(20))
    monkeypatch.setattr(mirrors, "LINGER", 0.05)
    said: list[str] = []
    train_through(run, WHOLE, said.append)
    release.set()
    assert len(said) == 1
    assert "did not take everything within" in said[0]


def test_a_run_that_is_not_enrolled_has_no_threads(run: RunDirectory) -> None:
    before = threading.active_count()
    with mirroring(run, print) as listen:
        listen(started())
        assert threading.active_count() == before


def test_names_of_trackers_are_checked_before_a_run_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no tracker comet; choose from tensorboard, wandb, trackio, mlflow"):
        parse_trackers("comet")
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"wandb, mlflow is not installed.*\[wandb,mlflow\]"):
        lamo(["train", "--preset", "atari-breakout-1pct", "--log", "wandb,mlflow"])
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_sent(run: RunDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    written(run, *WHOLE)
    assert lamo(["runs", "mirror", str(run.path), "--to", "fake"]) == 0
    assert capsys.readouterr().out == f"fake  {run.id}: 8 steps sent\n"
    assert lamo(["runs", "mirror", str(run.path), "--to", "fake", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trackers"]["fake"]["rows"] == 0


# --- the trackers themselves ---


def killed_and_resumed(run: RunDirectory, tracker: str) -> None:
    written(run, *WHOLE[:9])
    bring_up_to_date(run, tracker)
    written(
        run, started(5), *(step_done(step, loss=0.75) for step in range(6, 11)), evaluated(10), saved(10), stopped(10)
    )
    bring_up_to_date(run, tracker)
    assert read_mirror(run, tracker).copy == 1


def test_tensorboard_holds_every_step_once(run: RunDirectory) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    killed_and_resumed(run, "tensorboard")
    held = EventAccumulator(str(run.path / "tensorboard"), size_guidance={"scalars": 0})
    held.Reload()
    wanted = expected(run)
    assert set(held.Tags()["scalars"]) == set(wanted)
    for name, points in wanted.items():
        found = [(event.step, event.value) for event in held.Scalars(name)]
        assert [step for step, _ in found] == [step for step, _ in points]
        assert [value for _, value in found] == pytest.approx([value for _, value in points], rel=1e-6)


@pytest.fixture
def local_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let trackers write below the test's folder and reach nobody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


def in_a_process(run: RunDirectory, tracker: str) -> None:
    """Bring a mirror up to date in a process of its own, as people do; these packages keep threads and hooks."""
    code = "import sys; from lamo_tui.cli.app import main; sys.argv[0] = 'lamo'; main()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, "runs", "mirror", str(run.path), "--to", tracker],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def resumed_in_processes(run: RunDirectory, tracker: str) -> None:
    written(run, *WHOLE[:9])
    in_a_process(run, tracker)
    written(
        run, started(5), *(step_done(step, loss=0.75) for step in range(6, 11)), evaluated(10), saved(10), stopped(10)
    )
    in_a_process(run, tracker)


def wandb_records(data: bytes) -> Iterator[bytes]:
    """Yield the records of an offline run's file: LevelDB's log format behind seven bytes."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


@pytest.mark.interop
def test_wandb_holds_every_step_once(run: RunDirectory, local_trackers: Path) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    resumed_in_processes(run, "wandb")
    found: list[tuple[int, dict[str, float]]] = []
    for file in sorted(local_trackers.glob("wandb/offline-run-*/*.wandb")):
        for data in wandb_records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                items = {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.history.item}
                found.append((int(items.pop("_step", record.history.step.num)), items))
    assert len({step for step, _ in found}) == len(found) == 10
    wanted = expected(run)
    assert {name: [(step, items[name]) for step, items in found if name in items] for name in wanted} == wanted


@pytest.mark.interop
def test_trackio_holds_every_step_once(run: RunDirectory, local_trackers: Path) -> None:
    pytest.importorskip("trackio")
    resumed_in_processes(run, "trackio")
    code = (
        "import json, sys; from trackio.sqlite_storage import SQLiteStorage; "
        f"print(json.dumps(SQLiteStorage.get_logs('lamo', {run.id!r}), default=str))"
    )
    logs = printed(code)
    wanted = expected(run)
    held = {name: [(one["step"], one[name]) for one in logs if one.get(name) is not None] for name in wanted}
    assert held == wanted


@pytest.mark.interop
def test_mlflow_holds_every_step_once(run: RunDirectory, local_trackers: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    resumed_in_processes(run, "mlflow")
    code = (
        "import json, sys; from mlflow.tracking import MlflowClient; client = MlflowClient(); "
        "(run,) = client.search_runs([client.get_experiment_by_name('lamo').experiment_id]); "
        "history = {name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)] "
        "for name in run.data.metrics}; print(json.dumps(history))"
    )
    held = {name: sorted(tuple(point) for point in points) for name, points in printed(code).items()}
    assert held == {name.replace("@", "_"): points for name, points in expected(run).items()}


def printed(code: str) -> Any:
    """Return the JSON that a process prints in its last line."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_that_was_received_sends_nothing_by_itself(run: RunDirectory) -> None:
    (run.path / "mirror-fake.json").write_text('{"copy": 1, "sent": -1, "digest": "", "seal": "00"}\n')
    train_through(run, WHOLE, lambda text: None)
    assert Fake.opened == []
    enrol(run, ["fake"])
    assert bring_up_to_date(run, "fake").rows == 8
