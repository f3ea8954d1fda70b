import numpy as np
import pytest

from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.levels import Level
from cementct.testing.column import local_coordinates
from cementct.testing.morphometry import LEVELS_WITH_SIZES, size_of
from cementct.testing.shapes import (
    Coordinates,
    coverage,
    distance_to_box,
    distance_to_capsule,
    distance_to_ellipsoid,
    smooth_union,
)
from cementct.testing.vertebra import VertebraShape

WORLD = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def lattice(half_mm: tuple[float, float, float], step_mm: float) -> tuple[Coordinates, float]:
    """Return coordinates of a block around the origin (half sizes z, y, x) and a voxel's volume in ml."""
    n = [int(2 * h / step_mm) + 1 for h in half_mm]
    z, y, x = (-(c - 1) / 2 * step_mm for c in n)
    grid = Grid((n[0], n[1], n[2]), (step_mm, step_mm, step_mm), (x, y, z))
    return local_coordinates(grid, WORLD), grid.voxel_ml


def test_a_ball_has_the_volume_of_a_ball() -> None:
    at, voxel_ml = lattice((9, 9, 9), 0.5)
    ball = coverage(distance_to_ellipsoid(at, (0.3, -0.2, 0.1), (8.0, 8.0, 8.0)), 0.5)
    assert float(ball.sum()) * voxel_ml == pytest.approx(4 / 3 * np.pi * 8**3 / 1000, rel=2e-3)


def test_a_rod_with_round_ends_has_the_volume_of_cylinder_and_ball() -> None:
    at, voxel_ml = lattice((4, 4, 13), 0.3)
    rod = coverage(distance_to_capsule(at, ((-9.0, 0.0, 0.0), (9.0, 0.0, 0.0)), 3.0), 0.3)
    truth = (np.pi * 9 * 18 + 4 / 3 * np.pi * 27) / 1000
    assert float(rod.sum()) * voxel_ml == pytest.approx(truth, rel=4e-3)


def test_the_distance_to_a_block_is_exact_in_front_of_its_faces() -> None:
    far = np.array([7.0], dtype=np.float32)
    none = np.zeros(1, dtype=np.float32)
    assert distance_to_box((far, none, none), (0, 0, 0), (4, 5, 6), 1.0)[0] == pytest.approx(3.0)
    assert distance_to_box((none, none, none), (0, 0, 0), (4, 5, 6), 1.0)[0] == pytest.approx(-4.0)


def test_a_fillet_only_adds_material() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    assert np.all(smooth_union(first, second, 1.0) <= np.minimum(first, second) + 1e-6)


@pytest.mark.parametrize("level", [Level.T4, Level.T10, Level.L3])
def test_a_body_is_as_wide_deep_and_high_as_anatomists_measured(level: Level) -> None:
    size = size_of(level)
    shape = VertebraShape(level, size, 8.0)
    at, voxel_ml = lattice((18, 24, 30), 0.7)
    inside = shape.distance_to_body(at) < 0
    left, back, up = (a[inside] for a in at)
    assert np.ptp(left) == pytest.approx(max(size.upper_width_mm, size.lower_width_mm), abs=2.0)
    assert np.ptp(back) == pytest.approx(size.depth_mm, abs=2.0)
    assert np.ptp(up) == pytest.approx(size.height_mm, abs=2.0)
    block_ml = size.width_mm * size.depth_mm * size.height_mm / 1000
    assert 0.6 < float(inside.sum()) * voxel_ml / block_ml < 0.85


def test_the_canal_of_every_level_is_free_of_bone() -> None:
    at, _ = lattice((12, 45, 35), 1.5)
    for level in LEVELS_WITH_SIZES:
        shape = VertebraShape(level, size_of(level), 6.0)
        canal = shape.distance_to_canal(at) < -0.5
        bone = np.minimum(shape.distance_to_arch(at), shape.distance_to_body(at)) < -0.5
        assert canal.any()
        assert not (canal & bone).any(), level


def test_there_are_no_sizes_for_the_neck() -> None:
    with pytest.raises(ValueError, match="from T1 to S1"):
        size_of(Level.C5)
