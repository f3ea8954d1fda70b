"""Bone cement on CT: found at any opacity, told from what is dense too, measured, and given its source."""

from cementct.segmentation.cement.segment import segment_cement

__all__ = ["segment_cement"]
