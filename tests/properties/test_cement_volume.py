"""What a cement volume must not depend on: opacity, place between voxels, and the direction of the axes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.measure import measure_shares
from cementct.segmentation.cement.scene import view_scene

SPACING_MM = (1.0, 0.8, 0.8)
RADIUS_MM = 7.0
BACKGROUND_HU = 100.0
FINE = 4


def ball_image(opacity_hu: float, shift: tuple[float, float, float]) -> np.ndarray:
    """Return a blurred ball, moved by shares of a voxel."""
    shape = (26, 32, 32)
    axes = [
        ((np.arange(n * FINE) + 0.5) / FINE - n / 2 - move) * s
        for n, s, move in zip(shape, SPACING_MM, shift, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    solid = (z**2 + y**2 + x**2 < RADIUS_MM**2).astype(np.float32)
    share = ndimage.gaussian_filter(solid, [0.5 * FINE / s for s in SPACING_MM])
    share = share.reshape(26, FINE, 32, FINE, 32, FINE).mean(axis=(1, 3, 5))
    noise = np.random.default_rng(3).normal(0.0, 12.0, shape)
    return np.asarray(BACKGROUND_HU + share * (opacity_hu - BACKGROUND_HU) + noise)


def volume_ml(hu: np.ndarray) -> float:
    grid = Grid(hu.shape, SPACING_MM, (0.0, 0.0, 0.0))
    volume = Volume(hu.round().astype(np.int16), grid)
    scene = view_scene(volume, grid.box)
    nothing = np.zeros(hu.shape, dtype=np.bool_)
    expected = np.full(hu.shape, BACKGROUND_HU, dtype=np.float32)
    found = measure_shares(scene, hu > BACKGROUND_HU + 250, expected, in_bone=nothing, excluded=nothing)
    return float(found.share.sum(dtype=np.float64)) * grid.voxel_ml


TRUE_ML = 4 / 3 * np.pi * RADIUS_MM**3 / 1000


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.floats(900.0, 2900.0), st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_volume_depends_neither_on_opacity_nor_on_the_place_between_voxels(
    opacity_hu: float, shift: tuple[float, float, float]
) -> None:
    assert abs(volume_ml(ball_image(opacity_hu, shift)) / TRUE_ML - 1) < 0.02


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_volume_does_not_depend_on_the_direction_of_the_axes(flips: tuple[bool, bool, bool]) -> None:
    hu = ball_image(1800.0, (0.2, -0.1, 0.3))
    turned = hu[tuple(slice(None, None, -1 if flip else 1) for flip in flips)].transpose(0, 2, 1)
    assert abs(volume_ml(turned) / volume_ml(hu) - 1) < 2e-3
