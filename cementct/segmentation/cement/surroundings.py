"""The anatomy around the cement on the scene's own voxels, and what bone looks like there without cement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment, Spine
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.grid import Box
from cementct.segmentation.cement.fields import signed_depth
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.model import EarlierScan

# Depths below the surface of bone at which its intensity is learned; negative is outside. Blur carries bone
# some millimetres out, cortex ends some millimetres in.
DEPTHS_MM = np.arange(-3.0, 8.01, 0.5)
# Voxels over this are cement or metal, and bone is not learned from them.
NOT_BONE_ABOVE_HU = 1500.0
# Bone by itself is not expected to be brighter than this, however much cement hides it: cortex, and marrow
# from 4 mm below the surface. [clinical.md: marrow 60–250 HU, cortex to about 1500 HU on thin slices]
BRIGHTEST_CORTEX_HU = 900.0
BRIGHTEST_MARROW_HU = 350.0
MARROW_FROM_MM = 4.0
# Soft tissue where nothing else is known.
SOFT_TISSUE_HU = 50.0
# Least spread of bone's intensity: the texture of trabeculae.
LEAST_SPREAD_HU = 40.0
# Fewer voxels do not tell what a depth looks like.
FEWEST_VOXELS = 30

_BONE = (
    Compartment.BODY,
    Compartment.PEDICLE_LEFT,
    Compartment.PEDICLE_RIGHT,
    Compartment.POSTERIOR_ELEMENTS,
)


@dataclass(frozen=True)
class Surroundings:
    """Anatomy on the voxels of a scene.

    Attributes
    ----------
    compartment, place
        As in `CompartmentMap`, 0 beyond it.
    owner
        Number (label map) of the vertebra whose bone a voxel belongs to, 0 outside bone.
    bone_depth_mm
        Depth below the surface of bone, negative outside.
    expected_hu
        Intensity to expect without cement.
    spread_hu
        Standard deviation of that among places of the same depth.
    known
        Where an earlier scan says what was there.
    """

    compartment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    place: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    owner: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]
    bone_depth_mm: Float32Array
    expected_hu: Float32Array
    spread_hu: Float32Array
    known: BoolArray

    def crop(self, box: Box) -> Surroundings:
        """Return the part in `box`, given on the scene's own grid."""
        window = box.slices
        return Surroundings(
            self.compartment[window],
            self.place[window],
            self.owner[window],
            self.bone_depth_mm[window],
            self.expected_hu[window],
            self.spread_hu[window],
            self.known[window],
        )

    def is_in(self, *kinds: Compartment) -> BoolArray:
        """Return where one of the given compartments lies."""
        return np.isin(self.compartment, [int(k) for k in kinds])


def describe_surroundings(scene: Scene, spine: Spine, earlier: EarlierScan | None) -> Surroundings:
    """Return the anatomy on the scene's voxels, with what to expect there without cement."""
    compartment = np.zeros(scene.box.shape, dtype=np.uint8)
    place = np.zeros(scene.box.shape, dtype=np.uint8)
    common = scene.box.intersection(spine.compartments.box)
    if not common.is_empty:
        compartment[common.within(scene.box)] = spine.compartments.compartment[
            common.within(spine.compartments.box)
        ]
        place[common.within(scene.box)] = spine.compartments.place[common.within(spine.compartments.box)]
    owner = np.zeros(scene.box.shape, dtype=np.uint16)
    for vertebra in spine.vertebrae:
        common = scene.box.intersection(vertebra.whole.box)
        if common.is_empty:
            continue
        here = common.within(scene.box)
        inside = vertebra.whole.voxels[common.within(vertebra.whole.box)]
        owner[here] = np.where(inside, vertebra.number, owner[here])
        in_body = vertebra.body.in_box(common)
        owner[here] = np.where(in_body, vertebra.number, owner[here])
    numbers = np.array([0] + [v.number for v in spine.vertebrae], dtype=np.uint16)
    bone = np.isin(compartment, [int(k) for k in _BONE])
    owner = np.where((owner == 0) & bone, numbers[np.minimum(place, len(numbers) - 1)], owner).astype(
        np.uint16
    )
    depth = signed_depth((owner > 0) | bone, scene.spacing_mm)
    in_body = (compartment == int(Compartment.BODY)) | (owner == 0)
    expected, spread = _expect(scene.hu, depth, in_body)
    known = np.zeros(scene.box.shape, dtype=np.bool_)
    if earlier is not None:
        expected, spread, known = _with_earlier(scene, earlier, expected, spread)
    return Surroundings(compartment, place, owner, depth, expected, spread, known)


def _expect(
    hu: Float32Array, depth_mm: Float32Array, in_body: BoolArray
) -> tuple[Float32Array, Float32Array]:
    """Return median and spread of intensity by depth, learned apart for bodies and posterior elements."""
    expected = np.full(hu.shape, SOFT_TISSUE_HU, dtype=np.float32)
    spread = np.full(hu.shape, LEAST_SPREAD_HU, dtype=np.float32)
    near = depth_mm > DEPTHS_MM[0]
    for zone in (in_body, ~in_body):
        where = zone & near
        if not where.any():
            continue
        level, width = _profile(hu[where], depth_mm[where])
        expected[where] = np.interp(depth_mm[where], DEPTHS_MM, level)
        spread[where] = np.interp(depth_mm[where], DEPTHS_MM, width)
    return expected, spread


def _profile(hu: Float32Array, depth_mm: Float32Array) -> tuple[FloatArray, FloatArray]:
    """Return the median and the upper spread of intensity at each of `DEPTHS_MM`."""
    usable = hu < NOT_BONE_ABOVE_HU
    bins = np.clip(np.round((depth_mm - DEPTHS_MM[0]) / 0.5).astype(int), 0, len(DEPTHS_MM) - 1)
    level = np.full(len(DEPTHS_MM), np.nan)
    width = np.full(len(DEPTHS_MM), np.nan)
    for i in range(len(DEPTHS_MM)):
        values = hu[usable & (bins == i)]
        if values.size < FEWEST_VOXELS:
            continue
        # Below the median, so that cement in up to half of the voxels does not raise what is expected.
        low, middle, high = np.percentile(values, [25, 45, 90])
        level[i] = middle
        # 1.28 and 0.67 standard deviations; the upper side is the one that has to be told from cement.
        width[i] = min(max((high - middle) / 1.28, (middle - low) / 0.67), 350.0)
    good = np.isfinite(level)
    if not good.any():
        return np.full(len(DEPTHS_MM), 150.0), np.full(len(DEPTHS_MM), 150.0)
    level = np.interp(DEPTHS_MM, DEPTHS_MM[good], level[good])
    width = np.interp(DEPTHS_MM, DEPTHS_MM[good], width[good])
    ceiling = np.where(DEPTHS_MM > MARROW_FROM_MM, BRIGHTEST_MARROW_HU, BRIGHTEST_CORTEX_HU)
    return np.clip(level, SOFT_TISSUE_HU - 100.0, ceiling), np.maximum(width, LEAST_SPREAD_HU)


def _with_earlier(
    scene: Scene, earlier: EarlierScan, expected: Float32Array, spread: Float32Array
) -> tuple[Float32Array, Float32Array, BoolArray]:
    """Replace what anatomy lets expect by what an earlier scan showed, where it is known."""
    known = np.zeros(scene.box.shape, dtype=np.bool_)
    common = scene.box.intersection(earlier.box)
    if common.is_empty:
        return expected, spread, known
    here = common.within(scene.box)
    before = earlier.hu[common.within(earlier.box)]
    seen = np.isfinite(before)
    known[here] = seen
    expected = expected.copy()
    expected[here] = np.where(seen, before, expected[here])
    return expected, spread, known
