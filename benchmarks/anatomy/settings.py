"""What both catalogues of cases are written with."""

from __future__ import annotations

from cementct.testing.spec import Compression, Kernel, Scanner, Wear

WEDGE = Compression(0.4, 0.25, 0.05)
CRUSH = Compression(0.55, 0.6, 0.3, retropulsion_mm=3.0)
NODES = Wear(schmorl_above_mm=5.0, schmorl_below_mm=4.0)
BRIDGES = Wear(osteophyte_mm=6.0, vacuum_disc=True)
LIPS = Wear(schmorl_below_mm=3.0, osteophyte_mm=3.0)
# Fields of view, mm along z, y, x: lumbar spine and first sacral segment; 50 mm to every side of the spine;
# half a spine; a single vertebra.
LUMBAR_FOV = (190.0, 135.0, 135.0)
CROPPED_FOV = (140.0, 100.0, 100.0)
LONG_FOV = (300.0, 130.0, 130.0)
SINGLE_FOV = (40.0, 120.0, 120.0)
# Osteopenia.
THIN_MARROW_HU, THIN_CORTEX_MM = 75.0, 0.35


def scanner(
    slice_mm: float,
    noise_hu: float = 15.0,
    pixel_mm: float = 0.65,
    kernel: Kernel = Kernel.STANDARD,
    clip_hu: int | None = 3071,
) -> Scanner:
    """Return a scanner whose slices neither overlap nor leave gaps."""
    return Scanner(pixel_mm, slice_mm, slice_mm, kernel, noise_hu, clip_hu)
