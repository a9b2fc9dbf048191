"""A runs folder with one run in each state, and dashboards on it with a fake clock."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
from textual.pilot import Pilot

from lamo_tui.dashboard.app import LamoApp
from lamo_tui.state.settings import Settings
from lamo_tui.state.store import RunStore
from lamo_tui.state.view_state import View
from tests.tui.made_runs import NOW, alive, make_folder


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, on a loop like that of `App.run`, which starts tasks eagerly where it can.

    Textual's `run_test` alone does not, so that from Python 3.12 on it would try another program than the user's.
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters

    async def eagerly() -> None:
        if sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})

    asyncio.run(eagerly())
    return True


@pytest.fixture(autouse=True, scope="session")
def _steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make pictures the same everywhere: time zone, colours, no animation."""
    steady = {"TZ": "UTC", "TEXTUAL_ANIMATIONS": "none", "LAMO_CONFIG": "lamo/config.toml"}
    steady["LAMO_DATA"] = str(tmp_path_factory.mktemp("data"))
    before = {name: os.environ.get(name) for name in (*steady, "NO_COLOR")}
    os.environ.update(steady)
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    yield
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    time.tzset()


@pytest.fixture(scope="session")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of made-up runs; only read it."""
    return make_folder(tmp_path_factory.mktemp("made") / "runs")


@pytest.fixture
def folder(made_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the made-up runs that may be changed."""
    return Path(shutil.copytree(made_folder, tmp_path / "runs"))


class OpenDashboard(Protocol):
    """Opens a dashboard in a size."""

    def __call__(
        self,
        root: Path,
        columns: int = 120,
        rows: int = 40,
        *,
        attach: str | None = None,
        settings: Settings = ...,
        view: View | None = None,
        first: str | None = None,
        endures: bool = False,
    ) -> AbstractAsyncContextManager[Pilot[None]]: ...


@pytest.fixture
def dashboard() -> OpenDashboard:
    """Return a function that opens a dashboard which looks at the folder only when told to."""

    @asynccontextmanager
    async def open_dashboard(
        root: Path,
        columns: int = 120,
        rows: int = 40,
        *,
        attach: str | None = None,
        settings: Settings = Settings(),
        view: View | None = None,
        first: str | None = None,
        endures: bool = False,
    ) -> AsyncIterator[Pilot[None]]:
        store = RunStore(root, clock=lambda: NOW, alive=alive)
        app = LamoApp(root, settings=settings, view=view, store=store, clock=lambda: NOW, attach=attach, follow=False)
        app.first_mode, app.endures = first, endures
        async with app.run_test(size=(columns, rows)) as pilot:
            await look(pilot)
            yield pilot

    return open_dashboard


async def look(pilot: Pilot[None]) -> None:
    """Let the dashboard look at its folder: once for what is there, once for what is in view then."""
    app = pilot.app
    assert isinstance(app, LamoApp)
    for _ in range(2):
        app.tick()
        await pilot.pause()
