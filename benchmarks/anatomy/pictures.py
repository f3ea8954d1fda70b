"""Pictures of cases: found outlines over true ones, on a sagittal and an axial slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.anatomy.cases import AnatomyCase
from benchmarks.anatomy.scoring import Result
from cementct.anatomy.model import Spine
from cementct.core.arrays import BoolArray, Float32Array, LabelArray
from cementct.core.grid import Box

# Size of a picture's pixel, mm; of the border between both slices, pixels.
PIXEL_MM = 0.3
GAP = 6
# Window, HU: bone, and with cement.
BONE_WINDOW, CEMENT_WINDOW = (-150.0, 800.0), (-200.0, 1500.0)
GREEN, MAGENTA, YELLOW = (0, 220, 0), (255, 0, 255), (255, 220, 0)
# Around the bodies, mm.
MARGIN_MM = 30.0


def draw_case(case: AnatomyCase, result: Result, file: Path) -> None:
    """Write a PNG of the worst vertebra's sagittal and axial slice (or of the first missed one's)."""
    found = found_bodies(result.spine, case.post.grid.shape)
    number = worst_number(case, result)
    centre = np.argwhere(case.bodies.labels == number).mean(axis=0)
    z, _, x = (round(float(c)) for c in centre)
    everything = np.argwhere(case.bodies.labels > 0)
    low, high = everything.min(axis=0), everything.max(axis=0)
    grid = case.post.grid
    start, stop = (tuple(int(v) for v in corner) for corner in (low, high + 1))
    box = grid.expand(Box(start, stop), MARGIN_MM)  # type: ignore[arg-type]
    s_z, s_y, s_x = grid.spacing_mm
    _, rows, columns = box.slices
    sagittal = _panel(case, found, (box.slices[0], rows, slice(x, x + 1)), axis=2, spacing=(s_z, s_y))
    axial = _panel(case, found, (slice(z, z + 1), rows, columns), axis=0, spacing=(s_y, s_x))
    height = max(sagittal.shape[0], axial.shape[0])
    both = np.zeros((height, sagittal.shape[1] + GAP + axial.shape[1], 3), dtype=np.uint8)
    both[: sagittal.shape[0], : sagittal.shape[1]] = sagittal
    both[: axial.shape[0], sagittal.shape[1] + GAP :] = axial
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(both).quantize(256).save(file, optimize=True)


def worst_number(case: AnatomyCase, result: Result) -> int:
    """Return the first missed vertebra, else the one with the lowest body Dice, else any."""
    found = {v.number: v.body_dice for v in result.score.vertebrae}
    from benchmarks.anatomy.matching import match_vertebrae

    matches = match_vertebrae(result.spine.vertebrae, case.vertebrae, case.bodies, case.post.measured())
    if matches.missed:
        return matches.missed[0]
    return min(found, key=lambda n: found[n]) if found else case.bodies.numbers()[0]


def found_bodies(spine: Spine, shape: tuple[int, int, int]) -> LabelArray:
    """Return the found bodies as labels 1, 2, … from the top."""
    out = np.zeros(shape, dtype=np.uint8)
    for vertebra in spine.vertebrae:
        out[vertebra.body.box.slices][vertebra.body.voxels] = vertebra.position + 1
    return out


def _panel(
    case: AnatomyCase,
    found: LabelArray,
    where: tuple[slice, slice, slice],
    *,
    axis: int,
    spacing: tuple[float, float],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    def plane(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Float32Array:
        cut = np.asarray(array[where], dtype=np.float32).squeeze(axis)
        return cut[::-1] if axis == 2 else cut

    low, high = CEMENT_WINDOW if case.treated else BONE_WINDOW
    grey = _enlarged(np.clip((plane(case.post.hu) - low) / (high - low), 0, 1), spacing) * 255
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    layers = [(case.bodies.labels, GREEN), (found, MAGENTA)]
    if case.leaks is not None:
        layers.append(((case.leaks.labels > 0).astype(np.uint8), YELLOW))
    for labels, colour in layers:
        flat = plane(labels)
        for number in np.unique(flat[flat > 0]):
            picture[_edge(_enlarged((flat == number).astype(np.float32), spacing) >= 0.5)] = colour
    return picture


def _enlarged(plane: Float32Array, spacing: tuple[float, float]) -> Float32Array:
    height, width = (round(n * s / PIXEL_MM) for n, s in zip(plane.shape, spacing, strict=True))
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32), mode="F")
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


def _edge(mask: BoolArray) -> BoolArray:
    from scipy import ndimage

    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=1))
