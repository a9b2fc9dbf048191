"""The same plan on a Ray cluster and as Slurm jobs; without the packages these tests are skipped."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from lamo_core.errors import LamoError, MissingError
from lamo_core.sweep.engines import Engine
from lamo_core.sweep.folder import SweepFolder
from lamo_core.sweep.plan import Plan
from lamo_core.sweep.scheduler import Scheduler, look
from tests.sweep.conftest import TRAIN, MakeSweep


def work_off(folder: SweepFolder, plan: Plan, engine: Engine) -> list[str]:
    work = Scheduler(folder, plan, engine, argv=["lamo", "sweep"])
    end = time.monotonic() + 120
    while not work.over:
        assert time.monotonic() < end
        work.step()
        time.sleep(0.05)
    engine.close()
    return [view.state for view in look(folder, plan)]


def test_a_ray_cluster_works_off_the_plan(make_sweep: MakeSweep) -> None:
    pytest.importorskip("ray")
    from lamo_core.sweep.ray_engine import RayEngine

    folder, plan = make_sweep(["none", "frozen"], [0, 1])
    engine = RayEngine(TRAIN, address="local", jobs=4, threads=1)
    assert work_off(folder, plan, engine) == ["done"] * 4


def test_slurm_jobs_work_off_the_plan(make_sweep: MakeSweep) -> None:
    pytest.importorskip("submitit")
    from lamo_core.sweep.slurm_engine import SlurmEngine

    folder, plan = make_sweep(["none", "frozen"], [0])
    engine = SlurmEngine(TRAIN, folder.path / "slurm", jobs=2, parameters={"timeout_min": 2}, cluster="local")
    assert work_off(folder, plan, engine) == ["done"] * 2


def test_without_the_packages_a_sentence_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lamo_core.sweep.ray_engine import RayEngine
    from lamo_core.sweep.slurm_engine import SlurmEngine

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingError, match=r"\[ray\]"):
        RayEngine(TRAIN, address=None, jobs=1)
    with pytest.raises(MissingError, match=r"\[slurm\]"):
        SlurmEngine(TRAIN, tmp_path, jobs=1)


def test_parameters_that_submitit_does_not_know_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    from lamo_core.sweep.slurm_engine import SlurmEngine

    with pytest.raises(LamoError, match="submitit does not work here"):
        SlurmEngine(TRAIN, tmp_path, jobs=1, parameters={"no_such": 1}, cluster="local")
