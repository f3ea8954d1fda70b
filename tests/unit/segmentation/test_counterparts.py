"""Bone repeats itself from side to side and from level to level, a leak does not."""

from __future__ import annotations

import numpy as np

from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.counterparts import UNKNOWN, find_counterparts
from cementct.segmentation.cement.scene import Scene, view_scene

SHAPE = (60, 40, 60)
FRAMES = tuple(Frame.from_axes((30.0, 20.0, z), (0, 0, 1), (0, 1, 0)) for z in (45.0, 15.0))


def test_what_stands_on_both_sides_has_its_like_there() -> None:
    scene, piece = _scene([(15, 20, 40), (15, 20, 20)])

    found = find_counterparts(scene, FRAMES, piece)

    assert np.isclose(found.other_side, 1.0, atol=0.05)
    assert found.other_levels < 0.05


def test_what_repeats_itself_at_the_next_level_has_its_like_there() -> None:
    scene, piece = _scene([(15, 20, 40), (45, 20, 40)])

    found = find_counterparts(scene, FRAMES, piece)

    assert found.other_side < 0.05
    assert np.isclose(found.other_levels, 1.0, atol=0.05)


def test_a_counterpart_two_millimetres_off_still_counts() -> None:
    scene, piece = _scene([(15, 20, 40), (15, 22, 20)])

    assert find_counterparts(scene, FRAMES, piece).other_side > 0.95


def test_where_the_other_side_is_out_of_view_the_levels_speak_for_it() -> None:
    scene, piece = _scene([(15, 20, 40), (45, 20, 40)], shift_mm=-25.0)
    frames = tuple(Frame.from_axes((30.0, 20.0, z), (0, 0, 1), (0, 1, 0)) for z in (45.0, 15.0))

    found = find_counterparts(scene, frames, piece)

    assert np.isclose(found.other_side, found.other_levels)


def test_without_vertebrae_nothing_is_known() -> None:
    scene, piece = _scene([(15, 20, 40)])

    found = find_counterparts(scene, (), piece)

    assert (found.other_side, found.other_levels) == (UNKNOWN, UNKNOWN)


def _scene(cubes: list[tuple[int, int, int]], *, shift_mm: float = 0.0) -> tuple[Scene, np.ndarray]:
    """Return a scene of 1 mm with dense cubes around some voxels, and the voxels of the first."""
    hu = np.full(SHAPE, 50, dtype=np.int16)
    for z, y, x in cubes:
        hu[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] = 900
    grid = Grid(SHAPE, (1.0, 1.0, 1.0), (shift_mm, 0.0, 0.0))
    first = np.zeros(SHAPE, dtype=np.bool_)
    z, y, x = cubes[0]
    first[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] = True
    return view_scene(Volume(hu, grid), grid.box), np.argwhere(first)
