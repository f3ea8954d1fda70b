"""What can be said of each compartment around a treated vertebra: cement present, possible, none, unread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cementct.anatomy.model import Compartment, Spine, Vertebra
from cementct.core.arrays import BoolArray
from cementct.core.findings import Certainty, Compartments, CompartmentState, Leak, LeakType, Side
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.grid import Box
from cementct.core.image import NOT_MEASURED_BELOW_HU, Volume
from cementct.metrics.surroundings import compartments_in
from cementct.segmentation.model import Cement

# Slices thicker than this may hide a sheet of cement in canal or foramina, in millimetres (contract); headers
# round, so a hundredth more is still this.
THICK_SLICE_MM = 2.5 + 0.01
# Share of a compartment under streaks or metal from which on a thin deposit could hide there.
UNREADABLE_SHARE = 0.15
# Share of a compartment outside the measured field from which on it is not wholly in the scan.
UNMEASURED_SHARE = 0.02
# Noise at which a dilute sheet (500 HU, halved by partial volume) is under three standard deviations, in HU.
UNREADABLE_NOISE_HU = 80.0
# The canal has to be in view over this share of the body's height.
CANAL_COVERAGE = 0.9
# Cement on the needle's way leaves the bone through the pedicle or beside it: it is looked for so far behind
# the posterior edge of the body and so far beside the body, at the body's own height, in millimetres. That a
# tip of a process lies outside the view hides none of it.
TRACK_BEHIND_MM = 35.0
TRACK_BESIDE_MM = 5.0
# This space is probed at so many points along each axis.
TRACK_PROBES = 15
# Compartments are looked up within this distance of the body's centre, in body heights and depths.
REACH_MM = 45.0


@dataclass(frozen=True)
class Readability:
    """Which compartments of one vertebra could be read, and why not.

    Attributes
    ----------
    canal, foramen_left, foramen_right, disc_above, disc_below, beside, behind
        None where it is wholly in the scan and readable, else the reason, as the end of a sentence.
    """

    canal: str | None
    foramen_left: str | None
    foramen_right: str | None
    disc_above: str | None
    disc_below: str | None
    beside: str | None
    behind: str | None


def assess_readability(vertebra: Vertebra, cement: Cement, spine: Spine, volume: Volume) -> Readability:
    """Return which compartments around `vertebra` are wholly in the scan and readable."""
    block = _Block.around(vertebra, cement, spine, volume)
    above, below = vertebra.position, vertebra.position + 1
    left = Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT
    foramina = [
        block.why_foramen_unreadable(side, above) or block.why_foramen_unreadable(side, below)
        for side in left
    ]
    cut = None if vertebra.complete else "the scan cuts the vertebra"
    return Readability(
        canal=block.why_canal_unreadable(vertebra),
        foramen_left=foramina[0],
        foramen_right=foramina[1],
        disc_above=block.why_not_in_scan(block.voxels(Compartment.DISC, above), "the disc space above"),
        disc_below=block.why_not_in_scan(block.voxels(Compartment.DISC, below), "the disc space below"),
        beside=cut,
        behind=cut or block.why_track_unseen(vertebra, volume),
    )


def describe_compartments(
    vertebra: Vertebra, leaks: tuple[Leak, ...], readable: Readability, *, sides_known: bool
) -> Compartments:
    """Return the state of every compartment of a treated vertebra from its leaks and what could be read."""

    def state(found: list[Leak], unreadable: str | None) -> CompartmentState:
        if any(leak.certainty is Certainty.DEFINITE for leak in found):
            return CompartmentState.PRESENT
        if found:
            return CompartmentState.POSSIBLE
        return CompartmentState.NOT_ASSESSABLE if unreadable else CompartmentState.NONE_SEEN

    def of(kind: LeakType) -> list[Leak]:
        return [leak for leak in leaks if leak.type is kind]

    foraminal = of(LeakType.FORAMINAL)
    if sides_known:
        left = state([k for k in foraminal if k.side is Side.LEFT], readable.foramen_left)
        right = state([k for k in foraminal if k.side is Side.RIGHT], readable.foramen_right)
    else:
        either = readable.foramen_left or readable.foramen_right
        left = right = CompartmentState.POSSIBLE if foraminal else state([], either)
    discs = of(LeakType.DISKAL)
    is_above = [_lies_above(leak, vertebra) for leak in discs]
    return Compartments(
        epidural=state(of(LeakType.EPIDURAL), readable.canal),
        foraminal_left=left,
        foraminal_right=right,
        diskal_above=state([k for k, up in zip(discs, is_above, strict=True) if up], readable.disc_above),
        diskal_below=state([k for k, up in zip(discs, is_above, strict=True) if not up], readable.disc_below),
        paravertebral=state(of(LeakType.PARAVERTEBRAL), readable.beside),
        access_track=state(of(LeakType.ACCESS_TRACK), readable.behind),
    )


def raise_readability_flags(states: Compartments, readable: Readability) -> list[QualityFlag]:
    """Return the flags for canal and foramina that could not be assessed, with the reason."""
    raised = []
    if states.epidural is CompartmentState.NOT_ASSESSABLE:
        raised.append(
            raise_flag(
                Flag.CANAL_NOT_ASSESSABLE,
                f"The spinal canal could not be assessed for cement: {readable.canal}.",
            )
        )
    sides = (
        ("left", states.foraminal_left, readable.foramen_left),
        ("right", states.foraminal_right, readable.foramen_right),
    )
    lost = [(name, why) for name, state, why in sides if state is CompartmentState.NOT_ASSESSABLE]
    if lost:
        names = " and ".join(name for name, _ in lost)
        why = next((reason for _, reason in lost if reason), "it is not in view")
        raised.append(
            raise_flag(
                Flag.FORAMEN_NOT_ASSESSABLE,
                f"The foramina on the {names} could not be assessed for cement: {why}.",
            )
        )
    return raised


def _lies_above(leak: Leak, vertebra: Vertebra) -> bool:
    return bool(vertebra.frame.to_local(leak.centroid_lps_mm)[2] > 0)


@dataclass(frozen=True)
class _Block:
    """The compartments near one vertebra with what spoils them."""

    box: Box
    spine: Spine
    compartment: NDArray[np.uint8]
    place: NDArray[np.uint8]
    measured: BoolArray
    streaks: BoolArray
    noise_hu: float

    @classmethod
    def around(cls, vertebra: Vertebra, cement: Cement, spine: Spine, volume: Volume) -> _Block:
        centre = spine.grid.to_index(vertebra.frame.centre_lps_mm)
        box = spine.grid.box_around(centre, REACH_MM)
        compartment, place = compartments_in(box, spine)
        streaks = np.zeros(box.shape, dtype=np.bool_)
        common = box.intersection(cement.box)
        if not common.is_empty:
            streaks[common.within(box)] = cement.streaks[common.within(cement.box)]
        measured = np.asarray(volume.hu[box.slices] > NOT_MEASURED_BELOW_HU)
        return cls(box, spine, compartment, place, measured, streaks, cement.noise_hu)

    def voxels(self, compartment: Compartment, place: int) -> BoolArray:
        return np.asarray((self.compartment == compartment) & (self.place == place))

    def why_not_in_scan(self, voxels: BoolArray, name: str) -> str | None:
        if not voxels.any():
            return f"{name} is not in view"
        if self._touches_scan_edge(voxels):
            return f"the scan cuts {name}"
        if np.count_nonzero(~self.measured[voxels]) > UNMEASURED_SHARE * np.count_nonzero(voxels):
            return f"{name} lies partly outside the measured field"
        return None

    def why_canal_unreadable(self, vertebra: Vertebra) -> str | None:
        canal = self.compartment == Compartment.CANAL
        own = canal & (self.place == vertebra.position + 1)
        if not own.any():
            return "it was not found at this level"
        grid = self.spine.grid.crop(self.box)
        superior_mm = vertebra.frame.to_local(grid.to_lps(np.argwhere(canal)))[:, 2]
        half_mm = CANAL_COVERAGE * vertebra.height_mm / 2
        if superior_mm.min() > -half_mm or superior_mm.max() < half_mm:
            return "the scan cuts it at this level"
        unmeasured = np.count_nonzero(~self.measured[own])
        if unmeasured > UNMEASURED_SHARE * np.count_nonzero(own):
            return "it lies partly outside the measured field"
        return self._why_thin_deposits_hide(own)

    def why_foramen_unreadable(self, side: Compartment, place: int) -> str | None:
        voxels = self.voxels(side, place)
        return self.why_not_in_scan(voxels, "a foramen") or self._why_thin_deposits_hide(voxels)

    def why_track_unseen(self, vertebra: Vertebra, volume: Volume) -> str | None:
        """Return why the space behind the body, through which needles come, is not wholly in the scan."""
        half_width_mm, wall_mm = vertebra.width_mm / 2 + TRACK_BESIDE_MM, vertebra.depth_mm / 2
        axes = (
            np.linspace(-half_width_mm, half_width_mm, TRACK_PROBES),
            np.linspace(wall_mm, wall_mm + TRACK_BEHIND_MM, TRACK_PROBES),
            np.linspace(-vertebra.height_mm / 2, vertebra.height_mm / 2, TRACK_PROBES),
        )
        probes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        index = np.round(self.spine.grid.to_index(vertebra.frame.to_lps(probes))).astype(np.intp)
        inside = np.all((index >= 0) & (index < np.asarray(self.spine.grid.shape)), axis=1)
        seen = np.count_nonzero(volume.hu[tuple(index[inside].T)] > NOT_MEASURED_BELOW_HU)
        if seen < (1.0 - UNMEASURED_SHARE) * len(probes):
            return "the scan cuts the space behind the body"
        return None

    def _why_thin_deposits_hide(self, voxels: BoolArray) -> str | None:
        thickest = max(self.spine.grid.spacing_mm)
        if thickest > THICK_SLICE_MM:
            return f"slices of {thickest:.1f} mm can hide thin deposits"
        if self.noise_hu > UNREADABLE_NOISE_HU:
            return f"noise of {self.noise_hu:.0f} HU can hide thin deposits"
        if np.count_nonzero(self.streaks[voxels]) > UNREADABLE_SHARE * np.count_nonzero(voxels):
            return "streaks or metal cover it"
        return None

    def _touches_scan_edge(self, voxels: BoolArray) -> bool:
        for axis, (start, length) in enumerate(zip(self.box.start, self.spine.grid.shape, strict=True)):
            for plane in (-start, length - 1 - start):
                if 0 <= plane < voxels.shape[axis] and voxels.take(plane, axis=axis).any():
                    return True
        return False
