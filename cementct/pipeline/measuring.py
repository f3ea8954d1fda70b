"""Everything that is measured on what was found in a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cementct.anatomy.model import Vertebra
from cementct.core.findings import LesionSource
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.metrics.distances import Distances, measure_distances
from cementct.metrics.filling import Filling, measure_filling
from cementct.metrics.heights import HeightFindings, measure_heights
from cementct.metrics.leaks import LeakFindings, measure_leaks
from cementct.metrics.volume import CementVolumes, measure_cement
from cementct.pipeline.steps import Before, Structures
from cementct.segmentation.model import Registration


@dataclass(frozen=True)
class Measurements:
    """All that was measured in a study, by number of the vertebra.

    Attributes
    ----------
    volumes, distances, fillings, heights
        By number; only what exists.
    leaks
        Leaks, compartments and their doubts.
    """

    volumes: Mapping[int, CementVolumes]
    leaks: LeakFindings
    distances: Mapping[int, Distances]
    fillings: Mapping[int, Filling]
    heights: Mapping[int, HeightFindings]


@dataclass(frozen=True)
class Outside:
    """What is measured of cement outside its vertebra and of nerves near it: for this no lesion is needed.

    Attributes
    ----------
    leaks
        Leaks, compartments and their doubts.
    distances
        By number of the vertebra.
    """

    leaks: LeakFindings
    distances: Mapping[int, Distances]


def measure_outside(found: Structures, post: Volume) -> Outside:
    """Measure leaks and distances.

    Parameters
    ----------
    found
        Vertebrae and cement.
    post
        The post-injection scan.
    """
    leaks = measure_leaks(found.cement, found.spine, post)
    return Outside(leaks, measure_distances(found.cement, found.spine, leaks=leaks))


def measure_structures(found: Structures, outside: Outside) -> Measurements:
    """Measure the rest.

    Parameters
    ----------
    found
        Vertebrae, cement and lesions.
    outside
        Leaks and distances.
    """
    fillings = _measure_fillings(found, found.spine.grid)
    volumes = measure_cement(found.cement, found.spine)
    return Measurements(volumes, outside.leaks, outside.distances, fillings, _measure_heights(found))


def _measure_fillings(found: Structures, grid: Grid) -> dict[int, Filling]:
    fillings = {}
    for number, lesion in found.lesions.items():
        registration = found.before.registrations.get(number) if found.before else None
        filling = measure_filling(
            found.cement,
            lesion,
            number=number,
            grid=grid,
            registration=registration if lesion.source is LesionSource.PRE else None,
        )
        if filling is not None:
            fillings[number] = filling
    return fillings


def _measure_heights(found: Structures) -> dict[int, HeightFindings]:
    """Measure every body, in the pre-injection scan where it was found there, else after injection.

    What somebody drew after injection is better than what is found before; where it fits the scan before, the
    body has not changed.
    """
    treated = [v.position for v in found.spine.vertebrae if v.number in found.treated]
    heights = {v.number: measure_heights(v, found.spine, treated=treated) for v in found.spine.vertebrae}
    if found.before is None:
        return heights
    after = {v.number: v for v in found.spine.vertebrae}
    earlier = {v.number: v for v in found.before.spine.vertebrae}
    affected = _positions_before(found, earlier)
    for number, registration in found.before.registrations.items():
        vertebra = earlier.get(registration.pre_number) if registration.pre_number is not None else None
        if registration.ok and vertebra is not None and vertebra.complete:
            if _was_as_drawn(after[number], found.before, registration, found.spine.grid):
                continue
            heights[number] = measure_heights(vertebra, found.before.spine, treated=affected)
    return heights


def _was_as_drawn(vertebra: Vertebra, before: Before, registration: Registration, grid: Grid) -> bool:
    """Tell whether a body is drawn in the post-injection scan, and stood like that before."""
    from cementct.segmentation.lesion import find_before, outlined_after

    if not (vertebra.is_drawn and vertebra.complete):
        return False
    earlier = find_before(before.volume, before.spine, registration)
    return earlier is not None and outlined_after(earlier, vertebra, grid).body is not None


def _positions_before(found: Structures, earlier: Mapping[int, Vertebra]) -> list[int]:
    """Return the positions that the treated vertebrae have in the scan before injection."""
    registrations = found.before.registrations if found.before else {}
    numbers = (registrations[n].pre_number for n in found.treated if n in registrations)
    return [earlier[n].position for n in numbers if n is not None and n in earlier]
