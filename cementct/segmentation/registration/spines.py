"""All vertebrae of two scans: paired, registered one by one, and checked against each other."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.image import Volume
from cementct.segmentation.model import Registration
from cementct.segmentation.registration.matching import match_spines
from cementct.segmentation.registration.movement import Movement
from cementct.segmentation.registration.vertebra import PreparedScans, VertebraFit, register_vertebra

# Surfaces of a vertebra over itself lie 0.05–0.4 mm apart, more with thick slices.
MAX_RESIDUAL_MM = 0.8
# Added to that per millimetre of the thicker slices.
RESIDUAL_PER_SLICE_MM = 0.15
# Correlation at 1.6 mm; 0.77 to 0.99 on phantoms and moved real CT. It does not tell neighbours apart
# (they reach 0.54 to 0.94 at 3.2 mm): that is the matching's task. Chosen, not fitted.
LEAST_SIMILARITY = 0.65
# Where surfaces lie this close over this share of them, much cement may leave little that is alike; a
# neighbour's lie 0.35 mm apart.
CLOSE_RESIDUAL_MM, CLOSE_SIMILARITY, CLOSE_SHARE = 0.2, 0.1, 0.6
# Share of readable surface points found again; a raised body and a new fracture take up to half of them away.
LEAST_MATCHING_SHARE = 0.4
# Surface points that cement leaves; fewer do not show whether the bone lies right.
LEAST_READABLE = 100
# Neighbours do not turn against each other by more between two scans lying down.
MAX_BEND_DEG = 20.0
# Nor does a vertebra move further than this from where its neighbour's movement takes it.
MAX_SLIP_MM = 10.0
# So many vertebrae away the movements still have to agree.
AGREES_WITHIN = 2


def register_spines(
    pre: Volume,
    pre_spine: Spine,
    post: Volume,
    post_spine: Spine,
    *,
    only: Collection[int] | None = None,
) -> dict[int, Registration]:
    """Return, by number of the post-injection vertebra, how each moved rigidly between the two scans.

    Parameters
    ----------
    pre, pre_spine
        The scan before injection and its vertebrae.
    post, post_spine
        The scan after injection and its vertebrae.
    only
        Numbers of the post-injection vertebrae that are wanted; None for all.

    Returns
    -------
    dict
        Vertebrae without a counterpart, and all where the levels cannot be told apart, are missing. A
        registration that failed its checks is there with ``ok`` False.
    """
    column = _Column(PreparedScans(pre, pre_spine, post, post_spine))
    registered: dict[int, Registration] = {}
    for place, pair in enumerate(column.pairs):
        if only is not None and pair.post.number not in only:
            continue
        fit, ok = column.register(place)
        registered[pair.post.number] = Registration(
            rotation=fit.movement.rotation,
            translation_mm=fit.movement.translation_mm,
            ok=ok,
            residual_mm=fit.surfaces.residual_mm,
            pre_number=pair.pre.number,
            similarity=fit.similarity,
        )
    return registered


class _Column:
    """The vertebrae that both scans show, from top to bottom, registered as they are asked for.

    Parameters
    ----------
    scans
        Both scans.
    """

    def __init__(self, scans: PreparedScans) -> None:
        self.pairs = match_spines(scans)
        self._scans = scans
        self._slices_mm = max(scans.pre.grid.spacing_mm[0], scans.post.grid.spacing_mm[0])
        self._fits: dict[int, VertebraFit] = {}

    def register(self, place: int) -> tuple[VertebraFit, bool]:
        """Return the fit of one vertebra, and whether it passed its checks.

        Much cement leaves little of a body to be compared, and the coarse search astray: then the neighbours'
        movements are where to begin.
        """
        pair = self.pairs[place]
        fit = self._fit(place)
        if self._is_good(fit, place):
            return fit, True
        again = [register_vertebra(self._scans, pair.pre, start) for start in self._beside(place)]
        good = [other for other in again if self._is_good(other, place)]
        return (max(good, key=lambda other: other.similarity), True) if good else (fit, False)

    def _fit(self, place: int) -> VertebraFit:
        """Return the fit of one vertebra from where the coarse search left it."""
        if place not in self._fits:
            pair = self.pairs[place]
            self._fits[place] = register_vertebra(self._scans, pair.pre, pair.coarse.movement)
        return self._fits[place]

    def _beside(self, place: int) -> list[Movement]:
        """Return the movements of the nearest vertebrae above and below that pass, near enough to agree."""
        found = []
        for step in (-1, 1):
            places = (place + step * n for n in range(1, AGREES_WITHIN + 1))
            fits = (self._fit(i) for i in places if 0 <= i < len(self.pairs))
            nearest = next((fit for fit in fits if self._passes(fit)), None)
            if nearest is not None:
                found.append(nearest.movement)
        return found

    def _passes(self, fit: VertebraFit) -> bool:
        return _passes(fit, self._slices_mm)

    def _is_good(self, fit: VertebraFit, place: int) -> bool:
        """Tell whether a fit passes and agrees with the movement of a vertebra beside it, where one passes.

        Where none does, what the coarse search found of its neighbours is asked.
        """
        if not self._passes(fit):
            return False
        neighbours = [i for i in (place - 1, place + 1) if 0 <= i < len(self.pairs)]
        others = self._beside(place) or [self.pairs[i].coarse.movement for i in neighbours]
        return not others or any(_agrees(fit.movement, other, self.pairs[place].pre) for other in others)


def _passes(fit: VertebraFit, slices_mm: float) -> bool:
    residual = fit.surfaces.residual_mm
    close = (
        residual is not None and residual <= CLOSE_RESIDUAL_MM and fit.surfaces.matching_share >= CLOSE_SHARE
    )
    return (
        residual is not None
        and residual <= MAX_RESIDUAL_MM + RESIDUAL_PER_SLICE_MM * slices_mm
        and fit.similarity >= (CLOSE_SIMILARITY if close else LEAST_SIMILARITY)
        and fit.surfaces.matching_share >= LEAST_MATCHING_SHARE
        and fit.surfaces.readable >= LEAST_READABLE
    )


def _agrees(movement: Movement, other: Movement, vertebra: Vertebra) -> bool:
    centre = np.asarray(vertebra.frame.centre_lps_mm)
    slip = float(np.linalg.norm(movement.apply(centre) - other.apply(centre)))
    return movement.angle_to_deg(other) <= MAX_BEND_DEG and slip <= MAX_SLIP_MM
