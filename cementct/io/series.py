"""CT images grouped into stacks, each of which makes one volume."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from cementct.core.findings import IgnoredSeries
from cementct.core.flags import QualityFlag
from cementct.core.grid import Grid
from cementct.io.header import ImageHeader, SeriesHeader
from cementct.io.privacy import PatientWords
from cementct.io.stack import Axes

# A stack counts as axial where its normal is nearer than this to the patient's long axis; gantry tilt reaches
# 30 degrees, a coronal or sagittal reformat lies at 90.
AXIAL_WITHIN_DEG = 45.0


@dataclass(frozen=True, eq=False)
class Series:
    """A stack of CT images that makes one volume.

    Attributes
    ----------
    root
        The folder that was searched; files are relative to it.
    images
        In order along the normal.
    axes
        Directions of rows, columns and normal.
    spacing_mm
        Distance between neighbouring images along the normal.
    drift
        How far an image moves along (row, column) per millimetre along the normal: the tangent of a tilt.
    part
        Number of this stack where one series holds several, from 1; else 0.
    flags
        Doubts about the series, such as missing slices.
    private
        The words that must not be repeated in names.
    """

    root: Path
    images: tuple[ImageHeader, ...]
    axes: Axes
    spacing_mm: float
    drift: tuple[float, float] = (0.0, 0.0)
    part: int = 0
    flags: tuple[QualityFlag, ...] = ()
    private: PatientWords = field(default_factory=PatientWords)

    @property
    def header(self) -> SeriesHeader:
        """What the images have in common."""
        return self.images[0].series

    @property
    def uid(self) -> str | None:
        """SeriesInstanceUID, or None where it is blank or not a UID."""
        return self.header.uid

    @property
    def name(self) -> str:
        """How messages name the series: by number and UID, or by its first file."""
        name = f"series {self.header.number}" if self.header.number is not None else "series"
        name += f" ({self.uid})" if self.uid else f" of {self.file}"
        return name + (f", part {self.part}" if self.part else "")

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells this stack from all others of the folder, the same in every run."""
        return self.uid or "", self.images[0].file, self.images[0].frame

    @property
    def file(self) -> str:
        """Relative path of the first image, fit for messages."""
        return self.private.redact(min(image.file for image in self.images))

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.images)

    @cached_property
    def tilt_deg(self) -> float:
        """Angle between the stack's axis and its images' normal, in degrees."""
        return math.degrees(math.atan(math.hypot(*self.drift)))

    @property
    def is_derived(self) -> bool:
        """Whether the images were computed from others, by their image type."""
        return bool({"DERIVED", "SECONDARY"} & set(self.header.image_type))

    @property
    def is_axial(self) -> bool:
        """Whether images lie across the patient's long axis."""
        return abs(float(self.axes.normal[2])) >= math.cos(math.radians(AXIAL_WITHIN_DEG))

    @property
    def plane(self) -> str:
        """The name of the plane that images lie in."""
        return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(self.axes.normal)))]

    @cached_property
    def acquired(self) -> tuple[datetime, datetime] | None:
        """When the first and the last image were scanned; None where the header does not say."""
        moments = [image.acquired for image in self.images if image.acquired is not None]
        return (min(moments), max(moments)) if moments else None

    @property
    def clock(self) -> str:
        """Which header element `acquired` comes from."""
        return self.images[0].clock

    @cached_property
    def grid(self) -> Grid:
        """The grid of the volume: of a tilted series the orthogonal grid that holds all of its images."""
        from cementct.io.tilt import orthogonal_grid

        return orthogonal_grid(self)

    @cached_property
    def table_range_mm(self) -> tuple[float, float]:
        """Lowest and highest LPS z that the volume covers, half a voxel beyond the centres included."""
        corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in self.grid.shape])).reshape(3, -1).T
        z = self.grid.to_lps(corners)[:, 2]
        return float(z.min()), float(z.max())

    def ignored(self, why: str) -> IgnoredSeries:
        """Return the record that this series was not used."""
        part = f"Part {self.part} of the series: " if self.part else ""
        return IgnoredSeries(
            series_instance_uid=self.uid, file=None if self.uid else self.file, why=part + why
        )
