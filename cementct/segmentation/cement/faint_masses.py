"""Solid masses in bodies that are no brighter than bone: cement by their thickness, extent and evenness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import depth_inside
from cementct.core.morphology import blocks_of, bounds_of
from cementct.core.threads import each
from cementct.segmentation.cement.scene import Scene
from cementct.segmentation.cement.surroundings import Surroundings

# Fainter cement is told from bone by thickness: it is a solid mass, cortex a shell. Levels tried, …
FAINT_LEVELS_HU = (1500.0, 1300.0, 1100.0, 950.0, 780.0)
# … the depth of its middle below its own surface, …
FAINT_DEPTH_MM = 2.4
# … its volume at that level: by level, the fainter the larger. Bone islands are mostly under 10 mm (0.5 ml),
# hardly ever over 15 mm (1.8 ml); sclerotic metastases are large but seldom over 900 HU throughout (mean
# 654 ± 176 HU). [AJR 2016; sizes: general knowledge, to check]
FAINT_VOLUME_ML = (0.35, 0.45, 0.60, 0.75, 0.90)
# … and the mean of its middle (depths over this share of the largest): sclerotic metastases are below.
MIDDLE_DEPTH = 0.55
FAINTEST_CEMENT_HU = 840.0
# What an earlier scan did not show cannot be sclerosis, and is cement at these levels too. As large as this:
# a raised endplate, or one that registration left off its place, is thin.
NEW_LEVELS_HU = (600.0, 450.0)
NEW_VOLUME_ML = (1.6, 2.0)
FAINTEST_NEW_HU = min(NEW_LEVELS_HU)
# What an earlier scan did not show may be smaller by this factor.
SHARE_WITH_EARLIER = 0.25
# Cement between trabeculae has fingers where a bone island is round (depth of its middle over the radius of a
# ball of its volume), and is as even as noise allows; such a mass may be smaller by this factor.
ROUND_FROM = 0.70
EVEN_SIGMAS = 1.2
SHARE_WITH_FINGERS = 0.6
# So may one that is as opaque, within so much of it, as cement that was found in another vertebra: few
# patients have a bone island, and hardly one has it as dense as the cement.
ALIKE_WITHIN, SHARE_ALIKE = 0.12, 0.5
SMALLEST_SHARE = min(SHARE_WITH_EARLIER, SHARE_WITH_FINGERS, SHARE_ALIKE)
# An earlier scan says what was there where it shows so much of a mass.
COMPARED_SHARE = 0.7
# Share of the middle of a faint mass that has to lie deeper in the bone than cortex does. A smaller one will
# do where that middle is even, with a standard deviation of this share of its mean, and none where the mass
# is thicker than cortex ever is: a deposit in a small body lies against its wall.
SHARE_OFF_SURFACE = 0.5
SHARE_OFF_SURFACE_EVEN, EVEN_SHARE = 0.3, 0.04
THICKER_THAN_CORTEX_MM = 3.6
CORTEX_MM = 2.0
# Faint masses are looked for in an image smoothed in the plane by so much; its voxels depend on nothing
# farther.
SMOOTH_MM = 0.5
SMOOTH_REACH_MM = 4.0 * SMOOTH_MM + 2.0

Block = tuple[slice, slice, slice]
ComponentLabels = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]


def find_faint(
    scene: Scene,
    around: Surroundings,
    excess: Float32Array,
    inside: BoolArray,
    bright: BoolArray,
    window: Block,
) -> list[tuple[Block, BoolArray]]:
    """Return solid masses inside bodies that are no brighter than bone but no bone by shape and extent.

    `excess` and `inside` cover the window around bodies; the masses come with their blocks of the scene.
    """
    from scipy import ndimage

    body = (around.compartment[window] == int(Compartment.BODY)) & inside
    sigma = [0.0, *(SMOOTH_MM / s for s in scene.spacing_mm[1:])]
    # Slices are smoothed each by itself: halves of the block side by side.
    smooth = np.concatenate(
        each(lambda part: ndimage.gaussian_filter(part, sigma), np.array_split(excess, min(2, len(excess))))
    )
    # Of all bodies only what reaches the lowest level is looked at.
    has_earlier = bool(around.known[window].any())
    part = bounds_of((smooth > (FAINTEST_NEW_HU if has_earlier else FAINT_LEVELS_HU[-1])) & body)
    if part is None:
        return []
    search = _Search(scene, around, smooth[part], body[part], placed_in_window(part, window), bright.copy())
    sure = bright[window]
    known_hu = search.add(())
    if has_earlier:
        search.add_new()
    if sure.any():
        known_hu = (*known_hu, float(np.median(excess[sure])))
    if known_hu:
        search.add(known_hu)
    return search.found


@dataclass
class _Search:
    """Masses are looked for at one level after the other, the densest first.

    Attributes
    ----------
    scene, around
        The block of CT and its anatomy.
    smooth, body, window
        Smoothed intensities and bodies on a window of the scene.
    taken
        What is cement already, on the scene.
    found
        The masses, with their blocks of the scene.
    """

    scene: Scene
    around: Surroundings
    smooth: Float32Array
    body: BoolArray
    window: Block
    taken: BoolArray
    found: list[tuple[Block, BoolArray]] = field(default_factory=list)

    def add(self, known_hu: tuple[float, ...]) -> tuple[float, ...]:
        """Add masses, smaller ones where they are as opaque as known cement; return how opaque they are."""
        added_hu = []
        for level, volume_ml in zip(FAINT_LEVELS_HU, FAINT_VOLUME_ML, strict=True):
            for block, mass, where in self._over(level, SMALLEST_SHARE * volume_ml):
                compared = self._is_compared(block, where)
                share = SHARE_WITH_EARLIER if compared else mass.least_share(known_hu, self.scene.noise_hu)
                sure = compared or (mass.mean_hu >= FAINTEST_CEMENT_HU and self._is_no_cortex(block, mass))
                if mass.volume_ml >= share * volume_ml and sure:
                    self._take(block, mass, where)
                    added_hu.append(mass.mean_hu)
        return tuple(added_hu)

    def add_new(self) -> None:
        """Add masses too faint for cement but for the earlier scan, which did not show them."""
        for level, volume_ml in zip(NEW_LEVELS_HU, NEW_VOLUME_ML, strict=True):
            for block, mass, where in self._over(level, SHARE_WITH_EARLIER * volume_ml):
                if self._is_compared(block, where) and self._is_no_cortex(block, mass):
                    self._take(block, mass, where)

    def _over(self, level: float, least_ml: float) -> Iterator[tuple[Block, _Mass, BoolArray]]:
        """Go through the thick masses over a level that are not taken, each with its block of the scene."""
        import cc3d

        labels = cc3d.connected_components((self.smooth > level) & self.body, connectivity=6)
        for inner, where in large_components(labels, max(8, round(least_ml / self.scene.voxel_ml))):
            block = placed_in_window(inner, self.window)
            if (where & self.taken[block]).any():
                continue
            mass = _Mass.of(where, self.smooth[inner], self.scene)
            if mass.depth_mm.max() >= FAINT_DEPTH_MM:
                yield block, mass, where

    def _is_compared(self, block: Block, where: BoolArray) -> bool:
        return float(np.mean(self.around.known[block][where])) > COMPARED_SHARE

    def _is_no_cortex(self, block: Block, mass: _Mass) -> bool:
        return mass.is_no_cortex(float(np.mean(self.around.bone_depth_mm[block][mass.middle] > CORTEX_MM)))

    def _take(self, block: Block, mass: _Mass, where: BoolArray) -> None:
        self.found.append((block, where & (mass.depth_mm > 0) | mass.solid))
        self.taken[block] |= self.found[-1][1]


@dataclass(frozen=True)
class _Mass:
    """One mass that is dense over more than cortex's thickness.

    Attributes
    ----------
    volume_ml, depth_mm
        Its volume, and how deep each voxel of its block lies in it.
    middle, solid
        Its middle, and what is too deep for cortex.
    mean_hu, spread_hu
        Of its middle.
    """

    volume_ml: float
    depth_mm: Float32Array
    middle: BoolArray
    solid: BoolArray
    mean_hu: float
    spread_hu: float

    @classmethod
    def of(cls, where: BoolArray, smooth: Float32Array, scene: Scene) -> _Mass:
        """Return the mass of some voxels in a smoothed block."""
        depth = depth_inside(where, scene.spacing_mm)
        deepest = float(depth.max())
        middle = depth >= MIDDLE_DEPTH * deepest
        return cls(
            volume_ml=np.count_nonzero(where) * scene.voxel_ml,
            depth_mm=depth,
            middle=middle,
            solid=depth >= min(FAINT_DEPTH_MM, deepest),
            mean_hu=float(smooth[middle].mean()),
            spread_hu=float(smooth[middle].std()),
        )

    def least_share(self, known_hu: tuple[float, ...], noise_hu: float) -> float:
        """Return how small it may be, as a share of what a mass of its density has to be."""
        if any(abs(self.mean_hu / hu - 1.0) <= ALIKE_WITHIN for hu in known_hu):
            return SHARE_ALIKE
        roundness = float(self.depth_mm.max()) / _ball_radius_mm(self.volume_ml)
        fingered = self.spread_hu <= EVEN_SIGMAS * noise_hu and roundness < ROUND_FROM
        return SHARE_WITH_FINGERS if fingered else 1.0

    def is_no_cortex(self, off_surface: float) -> bool:
        """Tell whether it is too thick for cortex, or so much of its middle lies deeper in bone."""
        even = self.spread_hu <= EVEN_SHARE * self.mean_hu
        least = SHARE_OFF_SURFACE_EVEN if even else SHARE_OFF_SURFACE
        return off_surface >= least or float(self.depth_mm.max()) >= THICKER_THAN_CORTEX_MM


def _ball_radius_mm(volume_ml: float) -> float:
    """Return the radius of a ball of a volume."""
    return float((3.0 * 1000.0 * volume_ml / (4.0 * np.pi)) ** (1.0 / 3.0))


def placed_in_window(inner: Block, window: Block) -> Block:
    """Return a block of a window as a block of what the window was cut from."""
    z, y, x = (slice(w.start + i.start, w.start + i.stop) for i, w in zip(inner, window, strict=True))
    return z, y, x


def large_components(labels: ComponentLabels, least_voxels: int) -> list[tuple[Block, BoolArray]]:
    """Return the components of at least so many voxels, each in its block."""
    index = np.flatnonzero(labels.ravel() != 0)
    numbers = labels.ravel()[index]
    large = np.bincount(numbers) >= least_voxels
    kept = large[numbers]
    blocks = blocks_of(index[kept], numbers[kept], labels.shape)
    return [(block, np.asarray(labels[block] == number)) for number, block in blocks.items()]
