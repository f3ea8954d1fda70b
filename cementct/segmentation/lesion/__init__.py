"""The destroyed part of a treated vertebra: seen before injection, or guessed after it."""

from cementct.segmentation.lesion.marrow import MarrowOf
from cementct.segmentation.lesion.segment import (
    Before,
    find_before,
    lesion_from_after,
    lesion_from_before,
    lesion_from_mask,
    outlined_after,
    segment_lesion,
)

__all__ = [
    "Before",
    "MarrowOf",
    "find_before",
    "lesion_from_after",
    "lesion_from_before",
    "lesion_from_mask",
    "outlined_after",
    "segment_lesion",
]
