"""The readers of runs, sweeps, settings, results and cards, and the folders of HDF5 files."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from lamo_core.analysis.parts import PARTS, MeasuredReliance, Reliance
from lamo_core.data.sandbox.sandbox import IsolatedReader
from lamo_core.data.sources.catalogue import published_sets
from lamo_core.data.sources.d4rl import task_facts
from lamo_core.data.sources.minari import minari_facts
from lamo_core.data.sources.minari_spaces import read_metadata
from lamo_core.data.store.cards import vectors_card
from lamo_core.data.store.local import read_card_file
from lamo_core.errors import LamoError
from lamo_core.language.corpora import documents, read_text
from lamo_core.reports.results import read_result
from lamo_core.reports.results_file import as_summary, read_results
from lamo_core.reports.rows import report_rows
from lamo_core.runs.control import ControlInbox
from lamo_core.runs.directory import RunDirectory
from lamo_core.runs.index import RunIndex
from lamo_core.runs.reader import read_events
from lamo_core.runs.records import encode
from lamo_core.runs.reliance_file import read_reliance, write_reliance
from lamo_core.runs.status import read_launch, read_state
from lamo_core.runs.target_sweep_file import AskedReturns, AskedScore, read_asked, write_asked
from lamo_core.settings.presets import presets_dir, resolve
from lamo_core.sweep.folder import Journal, find_sweep, new_folder
from lamo_core.sweep.grid import Grid
from lamo_core.sweep.plan import make_plan, planned_settings, read_plan, write_plan
from lamo_tui.state.run_reader import Follower
from lamo_tui.state.settings import read_settings
from tests.data.formats.test_vector_file import some_set
from tests.data.sources.made_sources import box, d4rl_tables, minari_episodes, write_d4rl, write_minari
from tests.data.sources.test_malformed_hdf5 import FACTS, FORGERIES
from tests.robustness.binary_readers import GIVEN, one_of
from tests.robustness.mutations import changed_bytes, changed_json, changed_lines, changed_toml
from tests.robustness.trial import Reader
from tests.tui.made_runs import make_run

RUN = "20261121-014402-atari-breakout-1pct-s0-k3f9"
SWEEP = "trial"


def each(*calls: Callable[[], object]) -> None:
    """Make every call; the first refusal is raised at the end."""
    errors = []
    for call in calls:
        try:
            call()
        except LamoError as error:
            errors.append(error)
    if errors:
        raise errors[0]


# runs


def runs(folder: Path) -> None:
    """Write a small run with all the files that one may have."""
    run = make_run(folder, RUN, steps=200, total=200, ending="finished", language=True)
    lines = run.metrics_file.read_bytes().splitlines(keepends=True)
    run.metrics_file.write_bytes(b"".join(lines[:30]))
    scores = (AskedScore(87.0, 3.0, 1.0, 5.0, 10), AskedScore(90.0, 4.0, 1.0, 5.0, 10))
    write_asked(run, AskedReturns(200, True, 0.0, 5.0, 9.0, (87.0,), 0.5, scores))
    write_reliance(run, MeasuredReliance(200, tuple(Reliance(part, 0.5, 0.4, 0.6, 0.5) for part in PARTS)))
    run.launch_file.write_text(encode({"pid": os.getpid(), "pid_started": 1.0, "host": "h"}))
    run.queue_file.write_text(encode({"device": "cpu", "entered": 1.0, "host": "h", "owner": "queue", "seal": "ab"}))
    (run.control / "1-1.json").write_text(encode({"command": "set", "setting": "eval.every", "value": "5"}))


_LINES = ("metrics.jsonl", "events.jsonl")


def write_run(whole: Path, folder: Path, rng: Random) -> None:
    """Copy the run with one or two of its files changed, or with a link, a folder or nothing in place of one."""
    target = folder / "runs" / RUN
    shutil.copytree(whole / RUN, target)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    for _ in range(rng.choice((1, 1, 2))):
        path = rng.choice(files)
        if rng.random() < 0.04:
            path.unlink(missing_ok=True)
            rng.choice(
                (path.mkdir, lambda path=path: path.symlink_to("/etc/passwd"), lambda path=path: os.mkfifo(path))
            )()
        elif path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            if path.name in _LINES and data:
                data = changed_lines(data, rng)
            elif path.suffix == ".json" and data[:1] == b"{":
                data = changed_json(data, rng)
            else:
                data = changed_bytes(data or b"\0", rng)
            path.write_bytes(data)


def read_run(folder: Path) -> None:
    """Read all that the list, the screens and the reports read of a run."""
    run = RunDirectory(folder / "runs" / RUN)

    def listed() -> None:
        for summary in RunIndex(folder / "runs").poll():
            str(summary.label)
            encode(summary.to_dict())
            hash(summary.experiment)

    def followed() -> None:
        follower = Follower(run)
        while follower.poll(float("inf")).loading:
            pass

    each(
        listed, followed, lambda: read_state(run), lambda: read_launch(run), lambda: read_asked(run),
        lambda: read_reliance(run), lambda: read_events(run.events_file), run.read_config,
        lambda: report_rows([read_result(run)]), lambda: ControlInbox(run.control).poll(),
    )  # fmt: skip


# sweeps, settings, results, cards, texts


def _sweeps(folder: Path) -> None:
    grid = Grid((("atari-pong", (0.01,)),), ablations=("none", "no-lora"), seeds=(0, 1))
    made = new_folder(SWEEP, ["atari-pong"], folder)
    write_plan(made, make_plan(made.name, grid, []))
    journal = Journal(made)
    for key in [run.key for run in read_plan(made).runs][:2]:
        journal.note(key, "started", "20261121-014402-x-s0-aaaa", "note", "1")
        journal.note(key, "done", "20261121-014402-x-s0-aaaa")
    made.worker_file.write_text(encode({"pid": 1, "pid_started": 1.0, "host": "h"}))
    shutil.move(made.path, folder / SWEEP)


def _write_sweep(whole: Path, folder: Path, rng: Random) -> None:
    target = folder / "sweeps" / SWEEP
    shutil.copytree(whole / SWEEP, target)
    path = rng.choice(sorted(path for path in target.iterdir() if path.is_file() and path.stat().st_size))
    data = path.read_bytes()
    change = changed_lines if path.suffix == ".jsonl" else changed_json if data[:1] == b"{" else changed_bytes
    path.write_bytes(change(data, rng))


def _read_sweep(folder: Path) -> None:
    found = find_sweep(SWEEP, folder)

    def planned() -> None:
        for run in read_plan(found).runs:
            planned_settings(run)

    each(planned, lambda: Journal(found), found.worker)


@cache
def _tables(whole: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((whole / name).read_text())


def _tomls(folder: Path) -> None:
    shutil.copyfile(presets_dir() / "atari.toml", folder / "preset")
    (folder / "config").write_text(
        'seed = 3\nname = "x"\nmethod = "lamo"\n[optim]\nsteps = 10\nlearning_rate = 0.1\n[data]\nratio = 0.1\n'
        '[model]\nbackbone = "mini"\ncontext = 8\n[eval]\ntargets = [1.0, 2.0]\nevery = 5\n'
        '[task]\nname = "atari-pong"\n'
    )
    (folder / "settings").write_text('theme = "lamo-light"\nascii = true\n[keymap]\n"runs.stop" = "S"\n')
    (folder / "sources").write_text(
        '[d4rl]\nmirrors = ["http://a.example/{path}"]\nlicence = "x"\n[d4rl.sets.own-set]\ntask = "mujoco-hopper"\n'
        'path = "a.hdf5"\nbytes = 5\nsha256 = "' + "0" * 64 + '"\n[minari]\nmirrors = ["http://b.example/{path}"]\n'
    )


def _write_toml(whole: Path, folder: Path, rng: Random) -> None:
    name = rng.choice(("preset", "config", "config", "settings", "sources"))
    (folder / name).write_bytes(changed_toml(_tables(whole, name), rng))


def _read_toml(folder: Path) -> None:
    name = next(folder.iterdir()).name
    if name == "settings":
        _, problems = read_settings(folder / name)
        for problem in problems:
            raise problem
    elif name == "sources":
        os.environ["LAMO_SOURCES"] = str(folder / name)
        published_sets()
    else:
        resolve(file=folder / name)


def _results(folder: Path) -> None:
    runs(folder)
    from lamo_core.reports.results import gather
    from lamo_core.reports.results_file import write_results

    write_results(folder / "results", [gather(RunDirectory(folder / RUN))])


def _read_results(folder: Path) -> None:
    records = read_results(folder / GIVEN)
    for record in records:
        str(as_summary(record).label)
    from lamo_core.reports.results import result_of

    report_rows([result_of(record) for record in records])


def _cards(folder: Path) -> None:
    content = some_set()
    card = vectors_card(content, 500, {**task_facts("mujoco-hopper"), "name": "set", "licence": "x", "origin": {}})
    (folder / "card").write_text(json.dumps(card))


def _read_corpus(folder: Path) -> None:
    documents(read_text(folder / GIVEN))


# HDF5


_WORKER: list[IsolatedReader] = []


def _worker() -> IsolatedReader:
    if not _WORKER:
        _WORKER.append(IsolatedReader().__enter__())
    return _WORKER[0]


_FORGERIES = tuple(forge for forge in FORGERIES if forge.__name__ not in ("packed", "large_chunks"))
"""Those that are made in no time."""


def _changed_hdf5(path: Path, rng: Random) -> None:
    if rng.random() < 0.3:
        path.write_bytes(changed_bytes(path.read_bytes(), rng))
        return
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for _ in range(rng.choice((1, 1, 2))):
            name = rng.choice(names)
            if name in file:
                _change_table(file, name, rng)


def _change_table(file: Any, name: str, rng: Random) -> None:
    group, _, leaf = name.rpartition("/")
    if file[name].size > 100_000:  # changed already: only its description is large
        return
    place, values = file[group or "/"], np.asarray(file[name])
    kind = rng.randrange(7)
    del file[name]
    if kind == 0:
        if leaf == "actions":
            rng.choice(_FORGERIES)(place)
    elif kind == 1:
        place[leaf] = values.astype(rng.choice(("f8", "i4", "?", "S3", "u1", "c8")))
    elif kind == 2:
        place[leaf] = rng.choice(
            (values[: len(values) // 2], values[None], values.reshape(-1), np.zeros((0,)), np.float64(1))
        )
    elif kind == 3 and values.dtype.kind == "f" and values.size:
        odd = values.astype(np.float64)
        odd.flat[rng.randrange(odd.size)] = rng.choice((np.nan, np.inf, 1e300, -1e300, 1e38, -5.0))
        place[leaf] = odd
    elif kind == 4:
        place[leaf] = rng.choice(
            (h5py.SoftLink("/x"), h5py.SoftLink(f"/{name}"), h5py.ExternalLink("/etc/passwd", "/x"))
        )
    elif kind == 5:
        place.create_dataset(
            leaf, (10 ** rng.choice((3, 9, 11)), *values.shape[1:]), "f8", chunks=(1_000, *values.shape[1:])
        )
    else:
        place[leaf] = values
        place[leaf].attrs["x" * rng.choice((1, 60_000))] = rng.choice(("a" * 60_000, 10**9, np.nan))


def _d4rl(folder: Path) -> None:
    write_d4rl(folder / "set.hdf5", d4rl_tables())


def _write_d4rl(whole: Path, folder: Path, rng: Random) -> None:
    shutil.copyfile(whole / "set.hdf5", folder / GIVEN)
    _changed_hdf5(folder / GIVEN, rng)


def _read_d4rl(folder: Path) -> None:
    (folder / "out").mkdir()
    job = {"kind": "d4rl", "path": str(folder / GIVEN), "out": str(folder / "out"), "facts": FACTS}
    _worker().run(job, folder / GIVEN)


def _minari(folder: Path) -> None:
    spaces = box((11,), -1e9, 1e9), box((3,), -1, 1, "float32")
    write_minari(folder, "set", minari_episodes((4, 3), 11, 3), *spaces)


def _write_minari(whole: Path, folder: Path, rng: Random) -> None:
    shutil.copytree(whole / "set" / "data", folder / "data")
    if rng.random() < 0.5:
        _changed_hdf5(folder / "data" / "main_data.hdf5", rng)
    else:
        path = folder / "data" / "metadata.json"
        values = json.loads(path.read_bytes())
        name = rng.choice(("observation_space", "action_space", ""))
        if name:
            values[name] = changed_json(values[name].encode(), rng).decode("utf-8", "replace")
            path.write_text(json.dumps(values))
        else:
            path.write_bytes(changed_json(path.read_bytes(), rng))


def _read_minari(folder: Path) -> None:
    data = folder / "data"
    read_metadata(data, "mujoco-hopper")
    facts = minari_facts(data, "set", ["x"]) | {"task": "mujoco-hopper", "licence": "x", "older_layout": False}
    (folder / "out").mkdir()
    _worker().run({"kind": "minari", "path": str(data), "out": str(folder / "out"), "facts": facts}, data)


_PYTHON = ("python", "python3", "python3.11", "python3.12", "python3.13")

TEXT: tuple[Reader, ...] = (
    Reader("runs", runs, write_run, read_run),
    Reader("sweeps", _sweeps, _write_sweep, _read_sweep),
    Reader("settings, presets and sources", _tomls, _write_toml, _read_toml),
    Reader("saved results", _results, one_of(["results"], changed_lines), _read_results),
    Reader("cards of data sets", _cards, one_of(["card"], changed_json),
           lambda folder: read_card_file(folder / GIVEN, "set", "get it again")),
    Reader("texts to train on", lambda folder: (folder / "text").write_text("the old sea\n\nsings é\n" * 9),
           one_of(["text"], changed_bytes), _read_corpus),
    Reader("HDF5 files of D4RL's kind", _d4rl, _write_d4rl, _read_d4rl, slow=True, starts=_PYTHON),
    Reader("Minari folders", _minari, _write_minari, _read_minari, slow=True, starts=_PYTHON),
)  # fmt: skip
