"""Whether the numbers of a volume can be Hounsfield units.

Raw detector numbers, normalised images and other modalities come in the same kinds of file. CT has marks that
they lack: a range of hundreds of units, and soft tissue near zero with fat or air below it.
"""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import HuArray
from cementct.core.errors import StudyRefused
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.image import NOT_MEASURED_BELOW_HU

# Voxels that are looked at; enough for shares of a tenth of a percent.
SAMPLE_VOXELS = 400_000
# Soft tissue, water and fat on any CT (fat -120 to -60, muscle 40 to 70), with room for noise.
SOFT_TISSUE_HU = (-200.0, 300.0)
# A spine scan is mostly soft tissue; a tenth of that share is still more than any shifted scale leaves there.
LEAST_SOFT_TISSUE = 0.02
# Between the fat and the cortex of one vertebra lie 300 HU at the least; images scaled to 0–1 or 0–255 span
# less.
LEAST_RANGE_HU = 260.0
# 16-bit CT scales with extended range end at 31 743; nothing in a patient is denser.
MOST_HU = 33_000.0
# Share of voxels exactly at a floor of zero that marks a scale which begins there: air is not zero on CT.
MOST_AT_ZERO_FLOOR = 0.005


def check_hounsfield(hu: HuArray, name: str) -> tuple[QualityFlag, ...]:
    """Return a flag where it is doubtful that the numbers are Hounsfield units.

    Parameters
    ----------
    hu
        Intensities, any shape.
    name
        What messages call the volume.

    Raises
    ------
    StudyRefused
        Where they cannot be.
    """
    flat = hu.ravel()
    step = max(1, flat.size // SAMPLE_VOXELS)
    sample = flat[:: step + (step % 2 == 0)]
    sample = sample[sample > NOT_MEASURED_BELOW_HU].astype(np.float32)
    if sample.size == 0:
        raise StudyRefused(f"{name}: expected Hounsfield units, no voxel of the volume was measured")
    low, high = float(sample.min()), float(sample.max())
    expected = "expected Hounsfield units (air -1000, soft tissue near 0, bone to 3071)"
    if not np.isfinite(high) or high > MOST_HU:
        raise StudyRefused(f"{name}: {expected}, found values up to {high:g}")
    if high - low < LEAST_RANGE_HU and not (low < 0 < high):
        raise StudyRefused(f"{name}: {expected}, found only values from {low:g} to {high:g}")
    if high - low < LEAST_RANGE_HU / 10:
        raise StudyRefused(f"{name}: {expected}, found only values from {low:g} to {high:g}")
    if low >= 0 and float(np.mean(sample == 0)) > MOST_AT_ZERO_FLOOR:
        raise StudyRefused(f"{name}: {expected}, found no value below 0 and a background of 0")
    soft = float(np.mean((sample > SOFT_TISSUE_HU[0]) & (sample < SOFT_TISSUE_HU[1])))
    if soft < LEAST_SOFT_TISSUE:
        says = (
            f"The intensities do not look like Hounsfield units: only {soft:.1%} lie where soft tissue does."
        )
        return (raise_flag(Flag.NOT_HU, says),)
    if low >= 0 or high - low < LEAST_RANGE_HU:
        says = f"The intensities do not look like Hounsfield units: they run from {low:g} to {high:g}."
        return (raise_flag(Flag.NOT_HU, says),)
    return ()
