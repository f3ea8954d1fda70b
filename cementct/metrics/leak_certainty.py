"""Whether a leak is definite or only possible: hardly seen, or not told apart from streak, chalk, cortex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray, FloatArray
from cementct.core.findings import Certainty
from cementct.core.image import Volume
from cementct.metrics.leak_parts import Parts
from cementct.metrics.leak_pieces import window_around
from cementct.metrics.leak_rims import LISTED_FROM_ML
from cementct.metrics.leak_shape import SEEN_SHARE, count_slices_seen, widest_axis
from cementct.metrics.surroundings import Kind, Surroundings
from cementct.segmentation.model import Cement

# Share of a leak's cement in streak-like or calcification-like deposits from which on it is only possible.
DOUBTFUL_SHARE = 0.5
# A leak that lies for the greater part under streaks, and fades below this share of the plateau of its
# vertebra's cement, cannot be told from a streak.
FADED_SHARE = 0.35
# A leak no brighter than the cortex of this scan's bodies, so large a share of which lies this near to one
# bone (in millimetres: what an outline can leave out of a cortex), cannot be told from that bone's own
# cortex. Endplates are drawn less well than walls.
CORTEX_PERCENTILE = 95.0
BRIGHTEST_PERCENTILE = 90.0
NEAR_BONE_MM, NEAR_ENDPLATE_MM = 1.2, 1.8
SHARE_NEAR_BONE = 0.75
# Cortex was there before injection: what is new by so much of its mass is none.
SHARE_NEW = 0.5
# A part on one slice goes on in the next where such a share of it lies over leaked cement there.
SHARE_GOING_ON = 0.3
# Streaks of cement without metal are fainter than this beside it: a brighter cord in line with a needle's way
# and so with the cement in the body is none.
STREAK_UP_TO_HU = 420.0
# Rounding errors of sums of fractions, in millilitres.
VOLUME_EPSILON_ML = 1e-9


def reaches_listed_volume(volume_ml: float) -> bool:
    """Tell whether a volume is large enough to be listed wherever it lies (contract)."""
    return volume_ml >= LISTED_FROM_ML - VOLUME_EPSILON_ML


@dataclass(frozen=True)
class Judge:
    """What a leak's certainty is judged by, the same for all leaks of a study.

    Attributes
    ----------
    cement, spine, volume
        As `measure_leaks` takes them.
    cortex_hu
        How bright the cortex of the bodies is; minus infinity where no body without cement is in view.
    """

    cement: Cement
    spine: Spine
    volume: Volume
    cortex_hu: float

    @classmethod
    def of(cls, cement: Cement, spine: Spine, volume: Volume) -> Judge:
        """Return the judge of a study's leaks."""
        return cls(cement, spine, volume, _cortex_hu(cement, spine, volume))

    def judge(self, parts: Parts, index: int, around: Surroundings) -> Certainty:
        """Return how certain the part `index` of `parts` is."""
        part = parts.parts[index]
        if not reaches_listed_volume(part.volume_ml):
            return Certainty.POSSIBLE
        here = parts.number == index + 1
        with_rim = np.argwhere(here)
        fraction = parts.filled[tuple(with_rim.T)]
        if count_slices_seen(with_rim, fraction, around.grid) < 2 and not _goes_on(parts, index, around):
            return Certainty.POSSIBLE
        hu = self.volume.hu[tuple((part.points + np.asarray(around.box.start)).T)]
        brightest_hu = float(np.percentile(hu, BRIGHTEST_PERCENTILE))
        # No vessel or ligament is calcified in line with a needle's way into the body.
        chalk_counts = part.kind != Kind.ACCESS_TRACK
        streak_counts = chalk_counts or bool(self.cement.foreign) or brightest_hu < STREAK_UP_TO_HU
        doubtful = [
            p.number
            for p in self.cement.properties
            if (streak_counts and p.streak_like) or (chalk_counts and p.calcification_like)
        ]
        deposits = around.deposits[tuple(with_rim.T)]
        if fraction[np.isin(deposits, doubtful)].sum() > DOUBTFUL_SHARE * fraction.sum():
            return Certainty.POSSIBLE
        if self._fades_under_streaks(part.points, brightest_hu, around):
            return Certainty.POSSIBLE
        near_mm = NEAR_ENDPLATE_MM if part.kind >= Kind.DISC else NEAR_BONE_MM
        if brightest_hu < self.cortex_hu and self._hugs_bone(with_rim, fraction, near_mm, around):
            return Certainty.POSSIBLE
        return Certainty.DEFINITE

    def _fades_under_streaks(
        self, points: NDArray[np.intp], brightest_hu: float, around: Surroundings
    ) -> bool:
        if self.cement.streaks[self._in_cement(points, around)].mean() <= DOUBTFUL_SHARE:
            return False
        mine = [p for p in self.cement.properties if p.owner == around.vertebra.number]
        if not mine:
            return False
        main = max(mine, key=lambda p: p.volume_ml)
        return brightest_hu < main.background_hu + FADED_SHARE * (main.plateau_hu - main.background_hu)

    def _hugs_bone(
        self, points: NDArray[np.intp], fraction: FloatArray, near_mm: float, around: Surroundings
    ) -> bool:
        """Tell whether most of it, as far as is known there before injection too, lies on one bone.

        Cortex that an outline left out lies on its own bone; what reaches from one endplate to the next is a
        leak that fills the disc.
        """
        if self._is_new(points, fraction, around):
            return False
        window = window_around(points, around, margin_mm=2 * near_mm)
        own, other = around.kind[window] == Kind.INSIDE, around.kind[window] == Kind.OTHER_BONE
        if self.spine.other_bone is not None:
            other |= self.spine.other_bone.voxels[around.box.slices][window]
        place = tuple((points - [s.start for s in window]).T)
        near = [_share_near(bone, place, fraction, near_mm, around) for bone in (own, other)]
        return max(near) > SHARE_NEAR_BONE

    def _is_new(self, points: NDArray[np.intp], fraction: FloatArray, around: Surroundings) -> bool:
        """Tell whether an earlier scan shows that most of it was not there."""
        if self.cement.new is None:
            return False
        new = fraction[self.cement.new[self._in_cement(points, around)]]
        return float(new.sum()) > SHARE_NEW * float(fraction.sum())

    def _in_cement(self, points: NDArray[np.intp], around: Surroundings) -> tuple[NDArray[np.intp], ...]:
        """Return where points of the surroundings' block lie in the arrays of the cement."""
        return tuple((points + np.asarray(around.box.start) - np.asarray(self.cement.box.start)).T)


def _share_near(
    bone: BoolArray,
    place: tuple[NDArray[np.intp], ...],
    fraction: FloatArray,
    near_mm: float,
    around: Surroundings,
) -> float:
    """Return the share of the cement at places (z, y, x) that lies near a bone."""
    if not bone.any():
        return 0.0
    gap_mm = ndimage.distance_transform_edt(~bone, sampling=around.spacing_mm)
    # To the face of a bone's voxel, not to its centre.
    near = gap_mm[place] - around.spacing_mm.min() / 2 <= near_mm
    return float(fraction[near].sum() / fraction.sum())


def _goes_on(parts: Parts, index: int, around: Surroundings) -> bool:
    """Tell whether a part that one slice shows is cut from leaked cement that the next slice shows as well.

    Compartments' borders may part a deposit slice from slice; what is seen on two slices is the deposit.
    """
    axis = widest_axis(around.grid)
    seen = np.moveaxis((parts.number > 0) & (parts.filled >= SEEN_SHARE), axis, 0)
    own = np.moveaxis(parts.number == index + 1, axis, 0) & seen
    slices = np.flatnonzero(own.any(axis=(1, 2)))
    if not slices.size:
        return False
    first = int(slices[0])
    here = own[first]
    over = [int(np.count_nonzero(seen[k] & here)) for k in (first - 1, first + 1) if 0 <= k < len(seen)]
    return max(over, default=0) >= SHARE_GOING_ON * int(np.count_nonzero(here))


def _cortex_hu(cement: Cement, spine: Spine, volume: Volume) -> float:
    """Return the intensity of the cortex of bodies without cement."""
    owners = set(np.unique(cement.owner).tolist())
    found = []
    for vertebra in spine.vertebrae:
        if vertebra.number in owners or vertebra.body.is_empty:
            continue
        body = vertebra.body.voxels
        shell = body & ~ndimage.binary_erosion(body)
        found.append(volume.hu[vertebra.body.box.slices][shell])
    return float(np.percentile(np.concatenate(found), CORTEX_PERCENTILE)) if found else -np.inf
