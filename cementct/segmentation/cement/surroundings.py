"""The anatomy around the cement on the scene's own voxels, and what bone looks like there without cement."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import BONE, Compartment, Spine
from cementct.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from cementct.core.distances import signed_depth
from cementct.core.frame import Frame
from cementct.core.grid import Box, Triple
from cementct.core.morphology import bounds_of
from cementct.core.smoothing import blurred_along_z
from cementct.segmentation.before import BrightestNear, EarlierScan
from cementct.segmentation.cement.scene import Scene

# Depths below the surface of bone at which its intensity is learned; negative is outside. Blur carries bone
# some millimetres out, cortex ends some millimetres in.
DEPTHS_MM = np.arange(-3.0, 8.01, 0.5)
# Depths are known to so far outside of bone; no question about it reaches half as far.
FARTHEST_MM = 15.0
# Soft tissue where nothing else is known.
SOFT_TISSUE_HU = 50.0
# How bright a thing is: its highest voxels but for noise.
BRIGHTEST_PERCENTILE = 90.0
# Least spread of bone's intensity: the texture of trabeculae.
LEAST_SPREAD_HU = 40.0


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
        Depth below the surface of bone, of vertebrae and other bone, negative outside.
    expected_hu
        Intensity to expect without cement.
    known
        Where an earlier scan says what was there.
    dulled_hu
        The scene's intensities as the earlier scan's slices would show them; None where those are no thicker.
    brightest_before
        How bright the surroundings of places were before injection; None without an earlier scan.
    frames
        Of the vertebrae in view, from top to bottom.
    widths_hu
        Standard deviation of bone's intensity at each of `DEPTHS_MM`, in bodies and in other bone, once it
        is learned.
    """

    compartment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    place: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    owner: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]
    bone_depth_mm: Float32Array
    expected_hu: Float32Array
    known: BoolArray
    dulled_hu: Float32Array | None = None
    brightest_before: BrightestNear | None = None
    frames: tuple[Frame, ...] = ()
    widths_hu: tuple[FloatArray, FloatArray] | None = None

    def crop(self, box: Box) -> Surroundings:
        """Return the part in `box`, given on the scene's own grid."""
        window = box.slices
        return Surroundings(
            self.compartment[window],
            self.place[window],
            self.owner[window],
            self.bone_depth_mm[window],
            self.expected_hu[window],
            self.known[window],
            None if self.dulled_hu is None else self.dulled_hu[window],
            self.brightest_before,
            self.frames,
            self.widths_hu,
        )

    def as_dull_as_before(self, scene: Scene) -> Float32Array:
        """Return the scene's intensities as the slices of the earlier scan show them, or would."""
        return scene.hu if self.dulled_hu is None else self.dulled_hu

    def rise_since_before(self, points_lps_mm: FloatArray, hu: Float32Array) -> float | None:
        """Return by how much something is brighter than all that lay near its place before injection.

        Parameters
        ----------
        points_lps_mm
            Where its voxels lie, shape (n, 3).
        hu
            Their intensities.

        Returns
        -------
        float or None
            None where an earlier scan does not show that.
        """
        before = None if self.brightest_before is None else self.brightest_before(points_lps_mm)
        return None if before is None else float(np.percentile(hu, BRIGHTEST_PERCENTILE)) - before

    def is_in(self, *kinds: Compartment) -> BoolArray:
        """Return where one of the given compartments lies."""
        found: BoolArray = np.asarray(self.compartment == int(kinds[0]))
        for kind in kinds[1:]:
            found |= self.compartment == int(kind)
        return found

    def spread_hu(self, index: IntArray) -> Float32Array:
        """Return the standard deviation of what is expected, for a list of voxels near bone."""
        if self.widths_hu is None:
            return np.full(len(index), LEAST_SPREAD_HU, dtype=np.float32)
        depth = self.bone_depth_mm.ravel()[index]
        in_body, other = (np.interp(depth, DEPTHS_MM, width) for width in self.widths_hu)
        return np.where(self.is_like_body(index), in_body, other).astype(np.float32)

    def is_like_body(self, index: IntArray) -> BoolArray:
        """Tell which of a list of voxels near bone look like bodies: also what is in no vertebra does."""
        compartment = self.compartment.ravel()[index]
        beside = (self.owner.ravel()[index] == 0) & (compartment != int(Compartment.CANAL))
        return np.asarray((compartment == int(Compartment.BODY)) | beside)


def describe_surroundings(scene: Scene, spine: Spine, earlier: EarlierScan | None) -> Surroundings:
    """Return the anatomy on the scene's voxels; what bone looks like is yet to be learned.

    Depths are stretched along z where the slices blur more than the plane does, so that a given depth stands
    for the same share of blur at an endplate as at a side wall.
    """
    compartment = np.zeros(scene.box.shape, dtype=np.uint8)
    place = np.zeros(scene.box.shape, dtype=np.uint8)
    common = scene.box.intersection(spine.compartments.box)
    if not common.is_empty:
        here, there = common.within(scene.box), common.within(spine.compartments.box)
        compartment[here] = spine.compartments.compartment[there]
        place[here] = spine.compartments.place[there]
    owner = _owners(scene, spine, compartment, place)
    _, in_plane, _ = scene.resolution.fwhm_mm
    squeeze = min(1.0, in_plane / scene.resolution.fwhm_mm[0])
    metric = (scene.spacing_mm[0] * squeeze, scene.spacing_mm[1], scene.spacing_mm[2])
    depth = _depth_of((owner > 0) | _other_bone(scene, spine, compartment), metric)
    # One value each until something is learned: no memory for the whole block.
    expected = np.broadcast_to(np.float32(SOFT_TISSUE_HU), scene.hu.shape)
    known: BoolArray = np.zeros(scene.box.shape, dtype=np.bool_)
    dulled = None
    if earlier is not None:
        expected, known = _with_earlier(scene, earlier, expected)
        if earlier.blur_mm > 0.0:
            dulled = blurred_along_z(scene.hu, earlier.blur_mm / scene.spacing_mm[0])
    frames = tuple(v.frame for v in spine.vertebrae)
    seen = None if earlier is None else earlier.brightest_near
    return Surroundings(compartment, place, owner, depth, expected, known, dulled, seen, frames)


def _depth_of(bone: BoolArray, metric_mm: Triple) -> Float32Array:
    """Return the depth below the surface of bone, as far from it as anything asks for."""
    depth = np.full(bone.shape, -FARTHEST_MM, dtype=np.float32)
    window = bounds_of(bone, [math.ceil(FARTHEST_MM / s) for s in metric_mm])
    if window is not None:
        np.maximum(signed_depth(bone[window], metric_mm), -np.float32(FARTHEST_MM), out=depth[window])
    return depth


def _owners(
    scene: Scene,
    spine: Spine,
    compartment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    place: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Return the number of the vertebra whose bone each voxel is."""
    owner = np.zeros(scene.box.shape, dtype=np.uint16)
    for vertebra in spine.vertebrae:
        for region in (vertebra.whole, vertebra.body):
            common = scene.box.intersection(region.box)
            if common.is_empty:
                continue
            inside = region.voxels[common.within(region.box)]
            np.copyto(owner[common.within(scene.box)], vertebra.number, where=inside)
    numbers = np.array([0] + [v.number for v in spine.vertebrae], dtype=np.uint16)
    is_bone = np.zeros(256, dtype=np.bool_)
    is_bone[[int(k) for k in BONE]] = True
    # Most of a block lies in no compartment.
    known = np.flatnonzero(compartment != 0)
    unowned = known[is_bone[compartment.ravel()[known]]]
    unowned = unowned[owner.ravel()[unowned] == 0]
    owner.ravel()[unowned] = numbers[np.minimum(place.ravel()[unowned], len(numbers) - 1)]
    return owner


def _other_bone(
    scene: Scene, spine: Spine, compartment: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
) -> BoolArray:
    """Return bone that is no vertebra's in view, in the scene; canal, discs and foramina hold none."""
    if spine.other_bone is None:
        return np.zeros(scene.box.shape, dtype=np.bool_)
    return np.asarray(spine.other_bone.voxels[scene.box.slices] & (compartment == 0))


def _with_earlier(
    scene: Scene, earlier: EarlierScan, expected: Float32Array
) -> tuple[Float32Array, BoolArray]:
    """Replace what anatomy lets expect by what an earlier scan showed, where it is known."""
    known = np.zeros(scene.box.shape, dtype=np.bool_)
    common = scene.box.intersection(earlier.box)
    if common.is_empty:
        return expected, known
    here = common.within(scene.box)
    before = earlier.hu[common.within(earlier.box)]
    seen = np.isfinite(before)
    known[here] = seen
    expected = expected.copy()
    expected[here] = np.where(seen, before, expected[here])
    return expected, known
