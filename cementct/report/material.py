"""The images and outlines that the pictures of a report are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import read_only
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

    def leak_region(self, leak_number: int) -> Region:
        """Return all voxels of one leak type."""
        return Region(self.leak_box, np.asarray(self.leak_numbers == leak_number))
