"""The images and outlines that the pictures of a report are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import read_only
from cementct.core.findings import LeakType
from cementct.core.grid import Box, Triple
from cementct.core.image import Region, Volume
from cementct.segmentation.model import Cement, Lesion, Registration

LeakNumbers = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True)
class EarlierImages:
    """The pre-injection scan, and where each vertebra stood in it.

    Attributes
    ----------
    volume
        The pre-injection scan, in canonical order.
    registrations
        By number (label map) of the post-injection vertebra.
    """

    volume: Volume
    registrations: Mapping[int, Registration] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportMaterial:
    """What the numbers of one study were measured on.

    Attributes
    ----------
    post
        The post-injection scan, in canonical order.
    spine
        Its vertebrae and the spaces between them.
    cement
        Its cement.
    leak_box, leak_numbers
        A block of the volume's grid, and the number of the leak type (`LeakType.number`) at each of its
        voxels, 0 where there is none; uint8.
    lesions
        By number of the vertebra.
    earlier
        The pre-injection scan, where one was used.
    landmarks
        What the levels were counted from, by the words to write beside it, as LPS points. Where empty, the
        pictures mark the vertebra next to the landmark that the report names.
    post_name, pre_name
        How a picture names its series, such as "series 4 (…12345678)" or "post.nii.gz"; nothing of a header's
        free text.
    """

    post: Volume
    spine: Spine
    cement: Cement
    leak_box: Box
    leak_numbers: LeakNumbers
    lesions: Mapping[int, Lesion] = field(default_factory=dict)
    earlier: EarlierImages | None = None
    landmarks: Mapping[str, Triple] = field(default_factory=dict)
    post_name: str | None = None
    pre_name: str | None = None

    def __post_init__(self) -> None:
        if self.leak_numbers.shape != self.leak_box.shape:
            raise ValueError(
                f"the leak numbers have to cover their box of shape {self.leak_box.shape}, "
                f"got {self.leak_numbers.shape}"
            )
        object.__setattr__(self, "leak_numbers", read_only(self.leak_numbers))

    def vertebra(self, number: int) -> Vertebra:
        """Return the vertebra with a number of the label maps.

        Raises
        ------
        KeyError
            Where the spine has none of that number.
        """
        for vertebra in self.spine.vertebrae:
            if vertebra.number == number:
                return vertebra
        raise KeyError(number)

    @cached_property
    def leak_regions(self) -> Mapping[LeakType, Region]:
        """The voxels of each leak type that there is, each in its own block of the volume's grid."""
        from scipy import ndimage

        found: dict[LeakType, Region] = {}
        blocks = dict(enumerate(ndimage.find_objects(self.leak_numbers), start=1))
        for kind in LeakType:
            block = blocks.get(kind.number)
            if block is not None:
                voxels = np.asarray(self.leak_numbers[block] == kind.number)
                found[kind] = Region(_shifted(block, self.leak_box), voxels)
        return found

    @cached_property
    def cement_region(self) -> Region:
        """Where cement is drawn, in its own block of the volume's grid."""
        inside = Region.of(self.cement.region)
        return Region(_shifted(inside.box.slices, self.cement.box), inside.voxels)


def _shifted(block: tuple[slice, ...], box: Box) -> Box:
    """Return a block of an array that covers `box` as a block of the grid that `box` belongs to."""
    (z, z_stop), (y, y_stop), (x, x_stop) = (
        (int(part.start) + first, int(part.stop) + first)
        for part, first in zip(block, box.start, strict=True)
    )
    return Box((z, y, x), (z_stop, y_stop, x_stop))
