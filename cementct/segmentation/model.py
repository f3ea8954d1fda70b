"""What the segmentation of cement, lesion and movement between two scans hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, FloatArray, read_only
from cementct.core.findings import Destruction, LesionSource
from cementct.core.flags import QualityFlag
from cementct.core.grid import Box
from cementct.core.image import Region

DepositArray = np.ndarray[tuple[int, ...], np.dtype[np.uint16]]


class ForeignKind(StrEnum):
    """A dense thing near the spine that is not cement."""

    NEEDLE = "needle"
    SCREW = "screw"
    WIRE = "wire"
    IMPLANT = "implant"
    CALCIFICATION = "calcification"
    DENSE_BONE = "dense-bone"
    CONTRAST = "contrast"


@dataclass(frozen=True)
class ForeignBody:
    """A dense thing that was found and is not cement.

    Attributes
    ----------
    kind
        What it was taken for.
    region
        Its voxels on the volume's grid.
    tip_lps_mm, direction_lps
        Of straight metal: its deep end, and the unit vector from there along its shaft.
    touches_cement
        Whether cement lies against it.
    """

    kind: ForeignKind
    region: Region
    tip_lps_mm: tuple[float, float, float] | None = None
    direction_lps: tuple[float, float, float] | None = None
    touches_cement: bool = False


@dataclass(frozen=True)
class Deposit:
    """One connected piece of cement.

    Attributes
    ----------
    number
        In `Cement.deposits`.
    owner
        Number (label map) of the vertebra it came from, or 0 where it is remote from the spine.
    volume_ml
        Partial-volume estimate.
    volume_sd_ml
        Standard deviation of that estimate.
    plateau_hu, background_hu
        Intensity of its inside and of its surroundings.
    clipped
        Whether the scanner's number range cuts off its plateau.
    slices
        Number of slices it is seen on.
    streak_like
        Whether it may be a streak: fading, in line between dense objects.
    calcification_like
        Whether it may be calcified or ossified tissue, or a surgical clip, rather than cement.
    owner_certain
        Whether only one vertebra can be its source.
    at_scan_edge
        Whether it reaches the edge of what was scanned.
    rivals
        Numbers of the other vertebrae that it may have come from as a whole: it touches none of their cement,
        and none is much nearer than another.
    """

    number: int
    owner: int
    volume_ml: float
    volume_sd_ml: float
    plateau_hu: float
    background_hu: float
    clipped: bool
    slices: int
    streak_like: bool
    calcification_like: bool
    owner_certain: bool
    at_scan_edge: bool
    rivals: tuple[int, ...] = ()


@dataclass(frozen=True)
class RemotePiece:
    """Something away from the spine that looks like cement.

    Attributes
    ----------
    volume_ml
        At half its height.
    centroid_lps_mm
        Its centre.
    """

    volume_ml: float
    centroid_lps_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Cement:
    """All cement in a volume.

    Attributes
    ----------
    box
        The block of the volume's grid that the arrays cover.
    fraction
        Share of each voxel that cement occupies, 0 to 1; its sum times the voxel volume is the cement volume.
    region
        Where cement is drawn in label maps: the half-height outline, thin deposits included.
    deposits
        Number of the deposit a voxel belongs to, 0 outside; covers every voxel with a fraction over 0.
    owner
        Number (label map) of the vertebra a voxel's cement came from, 0 outside. A deposit that joins two
        treated vertebrae is divided between them here.
    properties
        One entry per deposit.
    foreign
        Dense things that are not cement.
    streaks
        Where streaks or metal make the image unreadable for thin deposits; covers `box`.
    noise_hu
        Standard deviation of noise in soft tissue.
    flags
        Doubts, by number of the vertebra; 0 for the whole study.
    remote
        What looks like cement away from the spine.
    known_share
        By number of the vertebra: how much of its cement lies where an earlier scan shows what was there.
    drawn
        Whether it was drawn by the user, not found.
    new
        Where it is brighter than anything that lay within reach before injection; covers `box`. None where
        there is no earlier scan.
    """

    box: Box
    fraction: Float32Array
    region: BoolArray
    deposits: DepositArray
    owner: DepositArray
    properties: tuple[Deposit, ...]
    foreign: tuple[ForeignBody, ...]
    streaks: BoolArray
    noise_hu: float
    flags: dict[int, tuple[QualityFlag, ...]] = field(default_factory=dict)
    remote: tuple[RemotePiece, ...] = ()
    known_share: Mapping[int, float] = field(default_factory=dict)
    drawn: bool = False
    new: BoolArray | None = None

    def __post_init__(self) -> None:
        for name in ("fraction", "region", "deposits", "owner", "streaks", "new"):
            array = getattr(self, name)
            if array is None:
                continue
            if array.shape != self.box.shape:
                raise ValueError(
                    f"`{name}` has to cover the box of shape {self.box.shape}, got {array.shape}"
                )
            object.__setattr__(self, name, read_only(array))


@dataclass(frozen=True)
class Registration:
    """The rigid movement of one vertebra between the pre- and the post-injection scan.

    Attributes
    ----------
    rotation, translation_mm
        ``post = rotation @ pre + translation`` for LPS points.
    ok
        Whether the result passed its own checks.
    residual_mm
        Root mean square distance between matching bone surfaces; None where it could not be measured.
    pre_number
        Number of the vertebra in the pre-injection spine; None where it is not known.
    similarity
        Correlation of the two scans' intensities on the vertebra; None where it was not measured.
    """

    rotation: FloatArray
    translation_mm: FloatArray
    ok: bool
    residual_mm: float | None
    pre_number: int | None = None
    similarity: float | None = None

    def to_post(self, point_lps_mm: FloatArray) -> FloatArray:
        """Return where pre-injection points lie in the post-injection scan."""
        return np.asarray(point_lps_mm @ self.rotation.T + self.translation_mm, dtype=np.float64)

    def to_pre(self, point_lps_mm: FloatArray) -> FloatArray:
        """Return where post-injection points lay in the pre-injection scan."""
        return np.asarray((point_lps_mm - self.translation_mm) @ self.rotation, dtype=np.float64)


@dataclass(frozen=True)
class Lesion:
    """The destroyed part of one vertebra.

    Attributes
    ----------
    source
        Where it was measured.
    box, fraction
        Share of each voxel of the post-injection grid that is lesion, within a block of that grid.
    volume_ml, volume_sd_ml
        Its volume before injection, and the standard deviation of that estimate.
    destruction
        Lytic, mixed or blastic by volume; None where it cannot be seen.
    posterior_wall_involved
        Whether it destroys the posterior wall or lies within 1 mm of it over 10 mm² or more; None where it
        cannot be seen.
    tumour_outside_bone
        Whether tumour reaches beyond the bone's outline.
    told_apart
        How well intensity tells lesion from sound marrow where it was guessed after injection: 0 not at
        all, 1 without doubt.
    flags
        Doubts about it.
    """

    source: LesionSource
    box: Box
    fraction: Float32Array
    volume_ml: float
    volume_sd_ml: float
    destruction: Destruction | None
    posterior_wall_involved: bool | None
    tumour_outside_bone: bool = False
    told_apart: float = 1.0
    flags: tuple[QualityFlag, ...] = ()
