"""Dense bone that hangs on cement in a body: a sclerotic rim goes, blurred borders and dilute cement stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.model import Compartment
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.dull_bone import without_dull_bone
from cementct.segmentation.cement.scene import Scene, view_scene
from cementct.segmentation.cement.surroundings import Surroundings

SHAPE = (16, 40, 40)
GRID = Grid(SHAPE, (1.0, 0.7, 0.7), (0.0, 0.0, 0.0))
TREATED, NEIGHBOUR = 21, 22
CEMENT = (slice(3, 13), slice(8, 20), slice(10, 30))
RIM = (slice(3, 13), slice(20, 30), slice(10, 30))


def body_with_rim(rim_hu: float) -> tuple[Scene, Surroundings, np.ndarray]:
    """Return cement of 1600 HU in a body, something on it, and both as rough cement."""
    from scipy import ndimage

    hu = np.full(SHAPE, 150.0, dtype=np.float32)
    hu[CEMENT], hu[RIM] = 1600.0, rim_hu
    hu = ndimage.gaussian_filter(hu, (0.4, 0.7, 0.7))
    scene = view_scene(Volume(hu, GRID), GRID.box)
    around = Surroundings(
        compartment=np.full(SHAPE, int(Compartment.BODY), dtype=np.uint8),
        place=np.zeros(SHAPE, dtype=np.uint8),
        owner=np.full(SHAPE, TREATED, dtype=np.uint16),
        bone_depth_mm=np.full(SHAPE, 5.0, dtype=np.float32),
        expected_hu=np.full(SHAPE, 150.0, dtype=np.float32),
        known=np.zeros(SHAPE, dtype=np.bool_),
    )
    return scene, around, hu > 500.0


def kept_of(scene: Scene, around: Surroundings, rough: np.ndarray) -> np.ndarray:
    return without_dull_bone(scene, around, rough, seeds=scene.hu > 1200.0, treated=(TREATED,))


def share_kept(kept: np.ndarray, rough: np.ndarray) -> float:
    beyond_blur = np.zeros(SHAPE, dtype=np.bool_)
    beyond_blur[5:11, 23:29, 13:27] = True
    return float(kept[rough & beyond_blur].mean())


@pytest.mark.parametrize(("rim_hu", "stays"), [(600.0, False), (1300.0, True)])
def test_what_hangs_on_cement_stays_only_where_it_is_as_opaque(rim_hu: float, *, stays: bool) -> None:
    scene, around, rough = body_with_rim(rim_hu)
    kept = kept_of(scene, around, rough)
    assert share_kept(kept, rough) == (1.0 if stays else 0.0)
    assert kept[CEMENT].all()


def test_the_blurred_border_of_cement_stays() -> None:
    scene, around, rough = body_with_rim(150.0)
    np.testing.assert_array_equal(kept_of(scene, around, rough), rough)


def test_a_neighbouring_body_that_is_dense_by_itself_holds_no_cement() -> None:
    scene, around, rough = body_with_rim(600.0)
    owner = around.owner.copy()
    owner[:, 20:] = NEIGHBOUR
    kept = kept_of(scene, replace(around, owner=owner), rough)
    assert share_kept(kept, rough) == 0.0


def test_an_earlier_scan_or_soft_tissue_leaves_faint_cement_alone() -> None:
    scene, around, rough = body_with_rim(600.0)
    known = replace(around, known=np.ones(SHAPE, dtype=np.bool_))
    outside = np.where(np.arange(SHAPE[1])[None, :, None] < 20, around.compartment, 0).astype(np.uint8)
    leaked = replace(around, compartment=outside)
    for case in (known, leaked):
        np.testing.assert_array_equal(kept_of(scene, case, rough), rough)
