"""What lies around the bones of the independent spines: muscle, fat, canal, vessels, lungs, bowel, skin.

Painted on a lattice of about a millimetre, slice by slice, in coordinates that follow the spinal canal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_spines.anatomy import Frame, Shape
from cementct.core.arrays import Float32Array, FloatArray
from cementct.core.grid import Grid
from cementct.core.levels import Level

# CT numbers of tissues, HU (common radiological knowledge; 120 kV).
MUSCLE_HU, FAT_HU, FLUID_HU, CORD_HU, BLOOD_HU, LUNG_HU = 58.0, -100.0, 12.0, 38.0, 42.0, -850.0
LIGAMENT_HU, NERVE_HU, SKIN_HU, GAS_HU, AIR_HU, PLAQUE_HU = 62.0, 34.0, 45.0, -950.0, -1000.0, 850.0


# Lays a tissue over a share of each pixel of a slice.
Lay = Callable[[Float32Array, float | Float32Array], None]


@dataclass(frozen=True)
class Patient:
    """What the soft tissue of a patient is like.

    Attributes
    ----------
    fat_mm
        Thickness of the fat under the skin of the back.
    back_mm
        From the canal to the skin.
    contrast_hu
        What contrast adds to the aorta.
    has_plaques, has_bowel_gas
        Calcified aortic wall; gas in front.
    fatty
        Share of fat in the muscles of the back.
    aorta_mm
        Radius of the aorta, mm.
    """

    fat_mm: float
    back_mm: float
    contrast_hu: float
    has_plaques: bool
    has_bowel_gas: bool
    fatty: float
    aorta_mm: float


@dataclass(frozen=True)
class Column:
    """The bones of one patient in one position, from top to bottom; the outermost are cut by the scan."""

    shapes: tuple[Shape, ...]
    frames: tuple[Frame, ...]

    def rail(self) -> FloatArray:
        """Return rows of z; x, y of the posterior wall; canal; rank; half width and depth of the body."""
        rows = []
        for shape, frame in zip(self.shapes, self.frames, strict=True):
            for w in (shape.height / 2, -shape.height / 2):
                x, y, z = frame.to_lps(np.asarray([0.0, shape.half_depth, w]))
                rank = shape.level.rank - w / shape.height
                canal = (shape.canal_half_width, shape.canal_depth)
                rows.append((z, x, y, *canal, rank, shape.half_width, shape.half_depth))
        return np.asarray(sorted(rows))


def paint_surroundings(column: Column, patient: Patient, grid: Grid, seed: int) -> Float32Array:
    """Return the scene without bones, discs included as soft tissue."""
    rng = np.random.default_rng(seed)
    rail = column.rail()
    mottle = ndimage.gaussian_filter(rng.standard_normal(grid.shape).astype(np.float32), (5, 1.6, 1.6))
    mottle /= mottle.std()
    hu = np.empty(grid.shape, np.float32)
    z0, y0, x0 = np.asarray(grid.origin_lps_mm)[::-1]
    y, x = (
        g.astype(np.float32)
        for g in np.meshgrid(
            y0 + np.arange(grid.shape[1]) * grid.spacing_mm[1],
            x0 + np.arange(grid.shape[2]) * grid.spacing_mm[2],
            indexing="ij",
        )
    )
    for k in range(grid.shape[0]):
        z = z0 + k * grid.spacing_mm[0]
        place = [float(np.interp(z, rail[:, 0], rail[:, i])) for i in range(1, 8)]
        hu[k] = _slice(x - place[0], y - place[1], z, tuple(place[2:]), patient, mottle[k])
    return hu


def _inside(
    x: Float32Array, y: Float32Array, centre: tuple[float, float], radii: tuple[float, float]
) -> Float32Array:
    """Return the share of each pixel that an ellipse covers."""
    off = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
    return np.asarray(np.clip((1 - off) * min(radii) + 0.5, 0, 1), dtype=np.float32)


def _slice(
    x: Float32Array,
    y: Float32Array,
    z: float,
    canal: tuple[float, ...],
    p: Patient,
    mottle: Float32Array,
) -> Float32Array:
    half, deep, rank, body_half_width, body_half_depth = canal
    lumbar = float(np.clip(rank - Level.T12.rank, 0, 1))
    # Lungs end in recesses beside T12 and the first lumbar vertebra.
    lung = float(np.clip((Level.L1.rank + 0.3 - rank) / 2.5, 0, 1))
    hu = np.full_like(x, FAT_HU) + 6 * mottle

    def lay(share: Float32Array, value: float | Float32Array) -> None:
        np.add(hu, share * (value - hu), out=hu)

    back_of_muscle = p.back_mm - p.fat_mm
    streaked = MUSCLE_HU - 150 * np.clip(mottle - 2.2 * (1 - p.fatty), 0, 1)
    for side in (-1, 1):
        lay(_inside(x, y, (side * 27, back_of_muscle - 19), (25, 19)), streaked)
        lay(_inside(x, y, (side * 20, 17), (20, 18)), streaked)
        lay(_inside(x, y, (side * 52, 20), (20, 14)), streaked)
        # The great psoas grows downwards.
        grown = 5 + 15 * float(np.clip((rank - Level.T12.rank) / 3.5, 0, 1))
        lay(_inside(x, y, (side * (26 + grown), -14), (grown, grown * 1.15)), MUSCLE_HU + 4 * mottle)
    if rank < Level.L2.rank:
        # Liver, spleen, diaphragm and, above, the mediastinum.
        lay(_inside(x, y, (0, -66), (40, 30)), 40 + 5 * mottle)
        for side in (-1, 1):
            lay(_inside(x, y, (side * 84, -28), (58, 60)), 50 + 5 * mottle)
    if lung > 0.05:
        for side, start in ((-1, 30), (1, 34)):
            lay(
                _inside(x, y, (side * (start + 55), -24), (58 * lung**0.25, 60 * lung**0.7)),
                LUNG_HU + 25 * mottle,
            )
    if lumbar > 0.5 and p.has_bowel_gas:
        lay(_inside(x, y, (25 + 12 * np.sin(z / 17), -74), (14, 11)), 35.0)
        lay(_inside(x, y, (25 + 12 * np.sin(z / 17), -76), (10, 7)), GAS_HU)
    _vessels(x, y, z, p, lumbar, lay)
    # Annulus, ligaments and the vessels on the body.
    ring = (body_half_width + 2.0, body_half_depth + 2.0)
    lay(_inside(x, y, (0, -body_half_depth), ring), LIGAMENT_HU)
    # Canal: fat, ligament in front of the laminae, sac with cord or roots, and a root in each foramen.
    lay(_inside(x, y, (0, deep / 2), (half + 2.0, deep / 2 + 2.5)), LIGAMENT_HU)
    lay(_inside(x, y, (0, deep / 2), (half, deep / 2)), FAT_HU + 10)
    lay(_inside(x, y, (0, deep * 0.5 + 0.3), (half * 0.74, deep * 0.40)), FLUID_HU + 12)
    if lumbar < 0.5:
        lay(_inside(x, y, (0, deep * 0.5), (4.6, 3.4)), CORD_HU)
    for side in (-1, 1):
        lay(_inside(x, y, (side * (half + 5), 4.5), (7, 5.0)), FAT_HU + 15)
        lay(_inside(x, y, (side * (half + 4.5), 5.0), (3.6, 2.6)), NERVE_HU)
    skin = p.back_mm - 0.0022 * x**2
    lay(np.clip(y - skin + 2.5, 0, 1), SKIN_HU)
    lay(np.clip(y - skin + 0.5, 0, 1), AIR_HU)
    return hu


def _vessels(x: Float32Array, y: Float32Array, z: float, p: Patient, lumbar: float, lay: Lay) -> None:
    centre = (10 - 8 * lumbar + 2 * np.sin(z / 30), -46.0)
    centre = (centre[0] + (20.0 - centre[0]) * (1 - lumbar), centre[1] + 10.0 * (1 - lumbar))
    radii = (p.aorta_mm, p.aorta_mm)
    wall = _inside(x, y, centre, (radii[0] + 1.3, radii[1] + 1.3))
    lay(wall, BLOOD_HU)
    if p.has_plaques:
        angle = np.arctan2(y - centre[1], x - centre[0])
        patch = np.clip(2.5 * np.cos(2 * angle + z / 9) * np.sin(z / 13) - 1.2, 0, 1)
        lay(np.asarray(wall * patch, np.float32), PLAQUE_HU)
    lay(_inside(x, y, centre, radii), BLOOD_HU + p.contrast_hu)
    lay(_inside(x, y, (-18.0, -44.0), (11.0, 8.0)), BLOOD_HU + 0.4 * p.contrast_hu)
