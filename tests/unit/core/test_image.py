"""Images carry their grid, and regions their place in it."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.grid import Box, Grid
from cementct.core.image import PADDING_HU, LabelMap, Mask, Region, Volume

GRID = Grid((4, 5, 6), (2.0, 1.0, 0.5), (0.0, 0.0, 0.0))


def test_a_mask_has_the_volume_of_its_voxels() -> None:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[1, 1:3, 1:4] = True
    assert Mask(voxels, GRID).volume_ml == pytest.approx(6 * 0.001)


def test_voxels_of_another_shape_than_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected voxels of the grid's shape \(4, 5, 6\)"):
        Mask(np.zeros((4, 5, 5), dtype=bool), GRID)


def test_padding_was_not_measured_and_air_was() -> None:
    hu = np.full(GRID.shape, -1024, dtype=np.int16)
    hu[0] = PADDING_HU
    measured = Volume(hu, GRID).measured()
    assert not measured[0].any()
    assert measured[1:].all()


def test_the_voxels_of_a_volume_cannot_be_changed() -> None:
    volume = Volume(np.zeros(GRID.shape, dtype=np.int16), GRID)
    with pytest.raises(ValueError, match="read-only"):
        volume.hu[0, 0, 0] = 1


def test_a_region_is_the_same_set_in_any_box_that_holds_it() -> None:
    voxels = np.zeros(GRID.shape, dtype=bool)
    voxels[1, 2, 3] = voxels[2, 4, 5] = True
    region = Region.of(voxels)
    assert region.box == Box((1, 2, 3), (3, 5, 6))
    assert np.array_equal(region.in_box(GRID.box), voxels)
    assert np.array_equal(region.indices(), np.argwhere(voxels))


def test_an_empty_region_has_no_voxels() -> None:
    region = Region.of(np.zeros(GRID.shape, dtype=bool))
    assert region.is_empty
    assert not region.in_box(GRID.box).any()


def test_the_regions_of_a_label_map_are_its_numbers() -> None:
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[0, 0, 0] = 3
    labels[1:3, 1, 1] = 7
    label_map = LabelMap(labels, GRID)
    assert label_map.numbers() == [3, 7]
    assert {number: region.count for number, region in label_map.regions().items()} == {3: 1, 7: 2}
