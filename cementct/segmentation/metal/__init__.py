"""Metal near the spine, told from cement by its shape: shafts, what hangs on them, and what no cement can be.

On clipped data metal and cement look the same by number. A needle or a screw is straight, evenly thin and
comes in from behind; a needle reaches the skin, a screw has a head. Cement follows bone and veins.
"""

from cementct.segmentation.metal.find import find_metal, find_straight_metal

__all__ = ["find_metal", "find_straight_metal"]
