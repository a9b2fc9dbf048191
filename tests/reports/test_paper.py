"""The paper's numbers were typed once; the averages that the paper prints itself say whether they were typed right."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.reports import paper
from lamo_core.reports.paper import on_papers_data, paper_curve, paper_score
from lamo_core.settings.presets import read_toml, resolve
from lamo_core.tasks.registry import get_task

SPARSE_FULL = [("kitchen-partial", 1.0), ("kitchen-complete", 1.0), ("mujoco-reacher2d", 1.0)]
SPARSE_LOW = [
    ("kitchen-partial", 0.01),
    ("kitchen-partial", 0.1),
    ("kitchen-complete", 0.3),
    ("kitchen-complete", 0.5),
    ("mujoco-reacher2d", 0.1),
    ("mujoco-reacher2d", 0.3),
]
BODIES = ("mujoco-hopper", "mujoco-halfcheetah", "mujoco-walker2d")
DENSE_LOW = [(body, ratio) for body in BODIES for ratio in (0.005, 0.01, 0.1)]
ABLATED = [*SPARSE_FULL, *SPARSE_LOW]
COLUMNS = ["lamo", "dt", "wiki-rl", "cql", "iql", "td3+bc", "bc"]


@pytest.mark.parametrize(
    ("places", "averages"),
    [
        (SPARSE_FULL, [47.9, 36.5, 23.8, 10.6, 35.4, 13.3, 5.0]),
        (SPARSE_LOW, [31.1, 16.7, 17.9, 11.0, 17.7, 10.7, 3.9]),
        (DENSE_LOW, [57.4, 39.4, 51.4, 51.3, 44.9, 35.9, 45.7]),
    ],
)
def test_the_papers_averages_come_out(places: list[tuple[str, float]], averages: list[float]) -> None:
    for method, average in zip(COLUMNS, averages, strict=True):
        found = [paper_score(task, ratio, method) for task, ratio in places]
        assert np.mean([score.mean for score in found if score is not None]) == pytest.approx(average, abs=0.06)
        assert all(found)


def test_the_averages_of_random_weights_come_out() -> None:
    dense = [*DENSE_LOW, *((body, 1.0) for body in BODIES)]
    for places, average in ((ABLATED, 31.6), (dense, 54.0)):
        found = [paper_score(task, ratio, "lamo +no-pretraining") for task, ratio in places]
        assert np.mean([score.mean for score in found if score is not None]) == pytest.approx(average, abs=0.06)


def test_scores_say_where_they_come_from() -> None:
    found = paper_score("mujoco-hopper", 0.01, "lamo")
    assert found is not None
    assert (found.mean, found.deviation, found.table, str(found)) == (52.0, 4.6, "Table 3", "52.0 ± 4.6")
    assert paper_score("mujoco-hopper", 0.02, "lamo") is None
    assert paper_score("mujoco-hopper", 0.01, "lamo +frozen") is None
    assert [ratio for ratio, _ in paper_curve("atari-qbert", "nfq")] == [0.1, 1.0]


def test_the_paper_reports_only_tasks_that_exist() -> None:
    for cell in read_toml(paper._FILE)["cell"]:
        assert get_task(cell["task"]).name == cell["task"]


def test_only_the_papers_own_data_compare() -> None:
    assert on_papers_data("mujoco-hopper", "d4rl", "hopper-medium-v2")
    for preset in ("paper-mujoco-walker2d", "paper-kitchen-partial", "paper-atari-qbert"):
        config = resolve(preset).config
        assert on_papers_data(config.task.name, config.data.source, config.data.set), preset
    assert not on_papers_data("mujoco-hopper", "d4rl", "hopper-medium-replay-v2")
    assert not on_papers_data("mujoco-hopper", "bundled", "hopper-medium")
    assert not on_papers_data("mujoco-reacher2d", "bundled", "reacher2d-medium")
    assert on_papers_data("atari-qbert", "dqn-replay", "qbert-medium")
    assert not on_papers_data("atari-freeway", "dqn-replay", "freeway")
