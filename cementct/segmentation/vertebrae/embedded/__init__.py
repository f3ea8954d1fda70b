"""The embedded engine: vertebrae from the image alone, without a network, a GPU or a download.

The canal is tracked first (`canal`, `tracking`), the spine straightened along it (`straighten`), the levels
found by the pattern that every vertebra repeats (`pattern`, `levels`), and each body outlined in a frame of
its own (`body`). docs/anatomy.md tells the method step by step.
"""

from cementct.segmentation.vertebrae.embedded.engine import segment_vertebrae

__all__ = ["segment_vertebrae"]
