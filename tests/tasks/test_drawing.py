"""The painter: perspective, what hides what, and the floor."""

from __future__ import annotations

import numpy as np

from lamo_core.tasks.rendering.cameras import View
from lamo_core.tasks.rendering.rasterizer import Canvas

AHEAD = View((0.0, 0.0, 0.0), 4.0, 90.0, 0.0)
"""Looks along +y from y = -4; x runs to the right."""
RED, BLUE = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


def reddish(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0] > 80) & (picture[..., 2] < 20)


def test_a_ball_is_round_centred_and_of_the_right_size() -> None:
    canvas = Canvas(AHEAD, 160, 120)
    canvas.rod(np.zeros(3), np.zeros(3), 0.5, RED)
    rows, columns = np.nonzero(reddish(canvas.picture()))
    expected = 0.5 / 4 * 60 / np.tan(np.radians(22.5))
    assert abs(rows.mean() - 59.5) < 1
    assert abs(columns.mean() - 79.5) < 1
    assert abs((np.ptp(columns) + 1) / 2 - expected) < 1
    assert abs((np.ptp(rows) + 1) / 2 - expected) < 1


def test_x_runs_to_the_right_and_z_upwards() -> None:
    canvas = Canvas(AHEAD, 160, 120)
    place = np.array([1.0, 0.0, 0.7])
    canvas.rod(place, place, 0.1, RED)
    rows, columns = np.nonzero(reddish(canvas.picture()))
    assert columns.min() > 80
    assert rows.max() < 60


def test_nearer_shapes_hide_farther_ones_in_any_order() -> None:
    near, far = np.array([0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0])
    pictures = []
    for order in ((near, far), (far, near)):
        canvas = Canvas(AHEAD, 80, 60)
        for place in order:
            canvas.rod(place, place, 0.4, RED if place is near else BLUE)
        pictures.append(canvas.picture())
    assert reddish(pictures[0])[30, 40]
    assert reddish(pictures[1])[30, 40]


def test_faces_hide_by_depth_and_are_seen_from_outside_only() -> None:
    corners = np.array([[-1.0, 0.0, -1.0], [1.0, 0.0, -1.0], [1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]])
    towards, away = np.array([0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0])
    canvas = Canvas(AHEAD, 80, 60)
    canvas.face(corners, RED, normal=away)
    assert not reddish(canvas.picture()).any()
    canvas.face(corners, RED, normal=towards)
    canvas.rod(np.array([0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]), 0.3, BLUE)
    picture = canvas.picture()
    width = 60 / np.tan(np.radians(22.5)) / 2 / 4 * 2
    assert abs(np.sqrt(reddish(picture).sum()) - width) < 2
    assert reddish(picture)[30, 40]


def test_the_floor_lies_below_the_horizon_and_moves_with_the_eye() -> None:
    grey = np.array([0.8, 0.1, 0.0])
    views = [View((x, 0.0, 1.0), 3.0, 90.0, 0.0) for x in (0.0, 0.2)]
    pictures = []
    for view in views:
        canvas = Canvas(view, 80, 60)
        canvas.floor(0.0, grey)
        pictures.append(canvas.picture())
    assert np.array_equal(pictures[0][:28], pictures[1][:28])
    assert (pictures[0][35:] != pictures[1][35:]).any()


def test_what_lies_behind_the_eye_or_outside_is_left_out() -> None:
    canvas = Canvas(AHEAD, 80, 60)
    empty = canvas.picture()
    for place in ([0.0, -5.0, 0.0], [50.0, 0.0, 0.0], [0.0, -4.0, 0.0]):
        canvas.rod(np.array(place), np.array(place), 0.2, RED)
    behind = np.array([[-1.0, -6.0, -1.0], [1.0, -6.0, -1.0], [1.0, -6.0, 1.0]])
    canvas.face(behind, RED, normal=np.array([0.0, 1.0, 0.0]))
    assert np.array_equal(canvas.picture(), empty)
