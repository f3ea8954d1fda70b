"""One vertebra laid over itself: coarse to fine, checked on its surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import FloatArray
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.registration.movement import Movement
from cementct.segmentation.registration.refine import (
    Fit,
    Samples,
    Target,
    measure_similarity,
    refine_movement,
)
from cementct.segmentation.registration.sampling import RIM_MM, posterior_part, sample_vertebra
from cementct.segmentation.registration.scene import cement_above_hu, prepare_scene
from cementct.segmentation.registration.surface import SurfaceMatch, measure_surface_match

# From 6.4 mm a start 10 mm and 16 degrees off is caught; at 1.6 mm known movements of real lumbar CT are
# recovered to 0.02–0.08 mm.
COARSE_SCALES_MM = (6.4, 3.2)
FINE_SCALE_MM = 1.6
# The post-injection scan is prepared this far around the expected place.
SEARCH_MARGIN_MM = 12.0
# A body that holds so much that is too dense for bone before injection holds cement of old; after injection
# at least this share of it is found again, where what is this share as dense counts: other slices dull it.
OLD_CEMENT_ML, KEPT_CEMENT_SHARE, AS_DENSE_SHARE = 0.3, 0.5, 0.75
# Where the fit to the posterior part alone puts that part further than this from where the fit to all
# puts it, the body changed its shape.
RAISED_BODY_MM = 0.5


@dataclass(frozen=True)
class VertebraFit:
    """A vertebra's movement with all that tells whether to believe it.

    Attributes
    ----------
    movement
        From the pre- to the post-injection scan.
    similarity
        Correlation of intensities at the fine scale.
    usable_share
        Share of the samples that could be compared.
    surfaces
        How the surfaces match.
    """

    movement: Movement
    similarity: float
    usable_share: float
    surfaces: SurfaceMatch


class PreparedScans:
    """Both scans with what was prepared of them, so that every way to pair vertebrae reuses it.

    Parameters
    ----------
    pre, pre_spine
        The scan before injection and its vertebrae.
    post, post_spine
        The scan after injection and its vertebrae.
    """

    def __init__(self, pre: Volume, pre_spine: Spine, post: Volume, post_spine: Spine) -> None:
        self.pre, self.pre_spine = pre, pre_spine
        self.post, self.post_spine = post, post_spine
        self.cement_hu = cement_above_hu((pre, pre_spine), (post, post_spine))
        self._samples: dict[tuple[int, float, float], Samples] = {}
        self._dense_ml: dict[tuple[bool, int], float] = {}
        self._targets: dict[tuple[int, float], Target] = {}

    def keeps_its_cement(self, before: Vertebra, after: Vertebra) -> bool:
        """Tell whether a vertebra after injection holds the cement that one before it held.

        Cement stays where it is: what held some once is no vertebra that holds little now.
        """
        if not after.complete:
            return True
        old_ml = self._dense_in(before, after_injection=False)
        return old_ml < OLD_CEMENT_ML or (
            self._dense_in(after, after_injection=True) >= KEPT_CEMENT_SHARE * old_ml
        )

    def _dense_in(self, vertebra: Vertebra, *, after_injection: bool) -> float:
        """Return the volume in a body that is too dense for bone, in ml."""
        key = (after_injection, vertebra.number)
        if key not in self._dense_ml:
            scan = self.post if after_injection else self.pre
            above_hu = self.cement_hu * (AS_DENSE_SHARE if after_injection else 1.0)
            hu = scan.hu[vertebra.body.box.slices][vertebra.body.voxels]
            self._dense_ml[key] = np.count_nonzero(hu > above_hu) * scan.grid.voxel_ml
        return self._dense_ml[key]

    def samples(self, vertebra: Vertebra, scale_mm: float, rim_mm: float) -> Samples:
        """Return sample points on a pre-injection vertebra and within a rim around it."""
        key = (vertebra.number, scale_mm, rim_mm)
        if key not in self._samples:
            self._samples[key] = sample_vertebra(
                self.pre, self.pre_spine, vertebra, scale_mm, rim_mm=rim_mm, cement_hu=self.cement_hu
            )
        return self._samples[key]

    def target(self, vertebra: Vertebra, scale_mm: float) -> Target:
        """Return the post-injection scan around one of its vertebrae."""
        key = (vertebra.number, scale_mm)
        if key not in self._targets:
            box = self.post.grid.expand(vertebra.whole.box, 2 * SEARCH_MARGIN_MM)
            self._targets[key] = Target(prepare_scene(self.post, box, scale_mm, cement_hu=self.cement_hu))
        return self._targets[key]


def search_movement(
    scans: PreparedScans,
    pair: tuple[Vertebra, Vertebra],
    starts: tuple[Movement, ...],
    *,
    scales_mm: tuple[float, ...] = COARSE_SCALES_MM,
    rim_mm: float = RIM_MM,
) -> Fit:
    """Return the best coarse fit of a pre-injection vertebra over a post-injection one.

    Parameters
    ----------
    scans
        Both scans.
    pair
        The pre- and the post-injection vertebra.
    starts
        Movements to begin from; the one that fits best at the coarsest scale is carried on.
    scales_mm
        Scales gone through, from coarse to fine.
    rim_mm
        How far out of the bone is compared; more brings in ribs and discs, which tell levels apart.
    """
    fits: list[Fit] = [Fit(start, 0.0, 0.0) for start in starts]
    for scale in scales_mm:
        samples = scans.samples(pair[0], scale, rim_mm)
        if samples.hu.size == 0:
            return fits[0]
        target = scans.target(pair[1], scale)
        fits = [refine_movement(samples, target, fit.movement) for fit in fits]
        fits = [max(fits, key=lambda fit: fit.similarity)]
    return fits[0]


def register_vertebra(scans: PreparedScans, vertebra: Vertebra, start: Movement) -> VertebraFit:
    """Return the movement of one vertebra, refined from a coarse one and checked on its surfaces.

    A body that was raised by the injection has another shape than before; then the posterior wall,
    pedicles and posterior elements decide.
    """
    pre = scans.pre
    samples = scans.samples(vertebra, FINE_SCALE_MM, RIM_MM)
    after = _target(scans, samples.points_lps_mm, start)
    if after is None or samples.hu.size == 0:
        return VertebraFit(start, 0.0, 0.0, SurfaceMatch(None, 0.0, 0))
    whole = refine_movement(samples, after, start)
    back = posterior_part(samples, vertebra)
    chosen = whole
    if back.hu.size:
        rear = refine_movement(back, after, whole.movement)
        if _is_better(rear, whole, back, after):
            chosen = rear
    similarity, usable = measure_similarity(samples, after, chosen.movement)
    before_box = pre.grid.box_around(pre.grid.to_index(samples.points_lps_mm), SEARCH_MARGIN_MM)
    before = Target(prepare_scene(pre, before_box, FINE_SCALE_MM, cement_hu=scans.cement_hu))
    surfaces = measure_surface_match(samples, before, after, chosen.movement)
    return VertebraFit(chosen.movement, similarity, usable, surfaces)


def _is_better(rear: Fit, whole: Fit, back: Samples, after: Target) -> bool:
    """Tell whether the posterior part, fitted alone, lies elsewhere and better than in the fit to all."""
    apart = rear.movement.apply(back.points_lps_mm) - whole.movement.apply(back.points_lps_mm)
    distance = float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
    if not RAISED_BODY_MM < distance < 6.0:
        return False
    return rear.similarity > measure_similarity(back, after, whole.movement)[0] + 0.01


def _target(scans: PreparedScans, points_lps_mm: FloatArray, start: Movement) -> Target | None:
    grid: Grid = scans.post.grid
    box = grid.box_around(grid.to_index(start.apply(points_lps_mm)), SEARCH_MARGIN_MM + FINE_SCALE_MM)
    if min(box.shape) < 2:
        return None
    return Target(prepare_scene(scans.post, box, FINE_SCALE_MM, cement_hu=scans.cement_hu))
