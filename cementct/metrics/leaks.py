"""Leaks: cement outside the vertebra it was injected into, by compartment, with what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cementct.anatomy.model import Compartment, Spine, Vertebra
from cementct.core.findings import Certainty, Compartments, Leak, LeakType, Point, Side
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.metrics.canal_share import measure_canal_area_share
from cementct.metrics.compartments import (
    THICK_SLICE_MM,
    assess_readability,
    describe_compartments,
    raise_readability_flags,
)
from cementct.metrics.leak_certainty import Judge, reaches_listed_volume
from cementct.metrics.leak_parts import Parts, split_into_parts
from cementct.metrics.leak_pieces import Part
from cementct.metrics.leak_shape import is_vessel_like, measure_thickness_mm, side_of
from cementct.metrics.space_names import name_disc_space
from cementct.metrics.surroundings import NEURAL_KINDS, Kind, Surroundings, compartments_in, surroundings_of
from cementct.segmentation.model import Cement

# The canal is looked at this far around an epidural leak, in millimetres: more than its width.
CANAL_REACH_MM = 30.0

_TYPE_OF_KIND = {
    Kind.CANAL: LeakType.EPIDURAL,
    Kind.FORAMEN_LEFT: LeakType.FORAMINAL,
    Kind.FORAMEN_RIGHT: LeakType.FORAMINAL,
    Kind.ELSEWHERE: LeakType.PARAVERTEBRAL,
    Kind.ACCESS_TRACK: LeakType.ACCESS_TRACK,
}


@dataclass(frozen=True)
class LeakFindings:
    """The leaks of every treated vertebra.

    Attributes
    ----------
    leaks
        By number of the vertebra, in the order of `LeakType`, each type the largest first.
    labels
        Numbers of the leak types on the box of the cement, uint8: 1 diskal … 5 access track.
    compartments
        State of each compartment, by number of the vertebra; treated vertebrae only.
    flags
        Doubts, by number of the vertebra.
    """

    leaks: Mapping[int, tuple[Leak, ...]]
    labels: NDArray[np.uint8]
    compartments: Mapping[int, Compartments]
    flags: Mapping[int, tuple[QualityFlag, ...]]


def measure_leaks(cement: Cement, spine: Spine, volume: Volume) -> LeakFindings:
    """Return the leaks of every vertebra that cement came from, and what can be said of its compartments.

    Parameters
    ----------
    cement
        All cement in the volume, divided among the vertebrae it came from.
    spine
        Vertebrae and the borders of the compartments, on the grid of `volume`.
    volume
        The post-injection volume.
    """
    labels = np.zeros(cement.box.shape, dtype=np.uint8)
    judge = Judge.of(cement, spine, volume)
    leaks: dict[int, tuple[Leak, ...]] = {}
    states: dict[int, Compartments] = {}
    flags: dict[int, tuple[QualityFlag, ...]] = {}
    for vertebra in spine.vertebrae:
        around = surroundings_of(vertebra, cement, spine)
        if around is None:
            continue
        parts = split_into_parts(around, cement.foreign)
        listed = [(i, p) for i, p in enumerate(parts.parts) if _is_listed(p)]
        found = [_Measured(around, parts, i, judge).leak() for i, _ in listed]
        for leak, (_, part) in zip(found, listed, strict=True):
            _paint(labels, part, leak.type.number, around, cement)
        found.sort(key=lambda leak: (leak.type.number, -leak.volume_ml, leak.centroid_lps_mm))
        number = vertebra.number
        leaks[number] = tuple(found)
        readable = assess_readability(vertebra, cement, spine, volume)
        states[number] = describe_compartments(
            vertebra, leaks[number], readable, sides_known=not spine.orientation_contradicts_anatomy
        )
        flags[number] = (
            *_raise_leak_flags(leaks[number], parts, around, volume),
            *raise_readability_flags(states[number], readable),
        )
    return LeakFindings(leaks, labels, states, flags)


def _is_listed(part: Part) -> bool:
    return part.kind in NEURAL_KINDS or reaches_listed_volume(part.volume_ml)


def _paint(labels: NDArray[np.uint8], part: Part, number: int, around: Surroundings, cement: Cement) -> None:
    points = part.points + np.asarray(around.box.start) - np.asarray(cement.box.start)
    labels[tuple(points.T)] = number


def _raise_leak_flags(
    leaks: tuple[Leak, ...], parts: Parts, around: Surroundings, volume: Volume
) -> list[QualityFlag]:
    raised = []
    if any(leak.certainty is Certainty.POSSIBLE for leak in leaks):
        raised.append(raise_flag(Flag.LEAK_POSSIBLE))
    trace_ml = sum(part.volume_ml for part in parts.parts if not _is_listed(part))
    if trace_ml > 0:
        raised.append(
            raise_flag(
                Flag.LEAK_TRACE, f"Cement outside the vertebra, less than is listed: {trace_ml:.3f} ml."
            )
        )
    if any(_is_cut(part, around, volume) for part in parts.parts):
        raised.append(raise_flag(Flag.LEAK_CUT_BY_SCAN_EDGE))
    thickest = max(volume.grid.spacing_mm)
    if thickest > THICK_SLICE_MM:
        raised.append(
            raise_flag(
                Flag.THICK_SLICES,
                f"Slices are {thickest:.1f} mm thick; thin deposits and small distances are less certain.",
            )
        )
    return raised


def _is_cut(part: Part, around: Surroundings, volume: Volume) -> bool:
    points = part.points + np.asarray(around.box.start)
    last = np.asarray(volume.grid.shape) - 1
    if np.any(points == 0) or np.any(points == last):
        return True
    steps = np.concatenate([np.eye(3, dtype=np.intp), -np.eye(3, dtype=np.intp)])
    beside = (points[:, None, :] + steps[None]).reshape(-1, 3)
    return bool(np.any(volume.hu[tuple(beside.T)] <= NOT_MEASURED_BELOW_HU))


@dataclass(frozen=True)
class _Measured:
    """One part, and all that its measurements need."""

    around: Surroundings
    parts: Parts
    index: int
    judge: Judge

    @property
    def part(self) -> Part:
        """The part itself."""
        return self.parts.parts[self.index]

    @property
    def spine(self) -> Spine:
        """The vertebrae and the borders of the compartments."""
        return self.judge.spine

    def leak(self) -> Leak:
        centroid = self._centroid_lps_mm()
        kind = self._type()
        epidural = kind is LeakType.EPIDURAL
        thickness_mm, share = self._thickness_and_canal_share() if epidural else (None, None)
        points_mm = self.around.local_mm(self.part.points)
        vessel = kind is not LeakType.ACCESS_TRACK and is_vessel_like(points_mm, self.part.volume_ml)
        return Leak(
            type=kind,
            certainty=self.judge.judge(self.parts, self.index, self.around),
            volume_ml=self.part.volume_ml,
            side=self._side(centroid),
            centroid_lps_mm=centroid,
            between=name_disc_space(self.part.kind - Kind.DISC, self.spine)
            if kind is LeakType.DISKAL
            else None,
            thickness_mm=thickness_mm,
            canal_area_share=share,
            vessel_like=vessel,
        )

    @property
    def _vertebra(self) -> Vertebra:
        return self.around.vertebra

    def _type(self) -> LeakType:
        return LeakType.DISKAL if self.part.kind >= Kind.DISC else _TYPE_OF_KIND[Kind(self.part.kind)]

    def _centroid_lps_mm(self) -> Point:
        with_rim = np.argwhere(self.parts.number == self.index + 1)
        weights = self.parts.filled[tuple(with_rim.T)]
        centre = np.average(with_rim, axis=0, weights=weights)
        x, y, z = (float(v) for v in self.around.grid.to_lps(centre))
        return x, y, z

    def _side(self, centroid_lps_mm: Point) -> Side | None:
        if self.spine.orientation_contradicts_anatomy:
            return None
        if self.part.kind == Kind.FORAMEN_LEFT:
            return Side.LEFT
        if self.part.kind == Kind.FORAMEN_RIGHT:
            return Side.RIGHT
        return side_of(float(self._vertebra.frame.to_local(centroid_lps_mm)[0]))

    def _thickness_and_canal_share(self) -> tuple[float, float | None]:
        box = self.spine.grid.box_around(self.part.points + np.asarray(self.around.box.start), CANAL_REACH_MM)
        fraction = np.zeros(box.shape, dtype=np.float64)
        common = box.intersection(self.around.box)
        there = common.within(self.around.box)
        mine = self.parts.number[there] == self.index + 1
        fraction[common.within(box)] = np.where(mine, self.parts.filled[there], 0)
        compartment = compartments_in(box, self.spine)[0]
        canal = compartment == Compartment.CANAL
        openings = np.isin(compartment, (Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT))
        points = self.part.points + np.asarray(self.around.box.start) - np.asarray(box.start)
        grid = self.spine.grid.crop(box)
        thickness_mm = measure_thickness_mm(fraction, points, canal | openings, grid)
        return thickness_mm, measure_canal_area_share(fraction, canal, grid, self._vertebra.frame)
