"""The area average that makes 84x84 observations."""

from __future__ import annotations

import numpy as np
import pytest

from lamo_core.tasks.atari.area_resize import area_resize, area_taps


@pytest.mark.parametrize(("source", "target"), [(210, 84), (160, 84)])
def test_weights_of_every_cell_add_up_to_one(source: int, target: int) -> None:
    _, weights = area_taps(source, target)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-6)


@pytest.mark.parametrize(("source", "target"), [(210, 84), (160, 84)])
def test_every_source_pixel_counts_the_same(source: int, target: int) -> None:
    indices, weights = area_taps(source, target)
    shares = np.zeros(source)
    np.add.at(shares, indices, weights)
    np.testing.assert_allclose(shares, target / source, atol=1e-6)


def test_plain_pictures_stay_plain() -> None:
    for value in range(0, 256, 5):
        assert (area_resize(np.full((210, 160), value, np.uint8)) == value).all()


def test_average_is_that_of_the_covered_area() -> None:
    rng = np.random.default_rng(0)
    screen = rng.integers(0, 256, (210, 160)).astype(np.uint8)
    # Every pixel repeated so often that cells become whole blocks: 210 * 2 / 84 rows, 160 * 21 / 84 columns.
    blocks = screen.repeat(2, axis=0).repeat(21, axis=1).reshape(84, 5, 84, 40)
    exact = blocks.mean((1, 3))
    assert np.abs(area_resize(screen) - exact).max() <= 0.5 + 1e-3
