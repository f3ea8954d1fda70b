"""Chalk, dense bone and contrast medium that lie near the spine and are not cement."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.core.findings import Side
from cementct.testing.column import PlacedVertebra
from cementct.testing.noise import smooth_noise
from cementct.testing.painting import Extent, Solid
from cementct.testing.places import side_sign
from cementct.testing.shapes import Coordinates, Point, distance_to_ellipsoid, distance_to_path
from cementct.testing.spec import ForeignObject, ForeignSpec
from cementct.testing.tissue import aorta_left_mm

# Intensities: calcified plaques reach 1300, chalk in discs 400 to 900, callus and ossified ligaments those of
# dense bone; urine with contrast some thousand, oral contrast 300 to 800 (rounded, common experience).
PLAQUE_HU = 1150.0
DISC_CHALK_HU = 750.0
CALLUS_HU = 900.0
LIGAMENT_BONE_HU = 800.0
URINE_HU = 1800.0
BOWEL_HU = 600.0
# Thickness of the plates of a coarsely calcified aorta, and its radius.
PLATE_MM, AORTA_MM = 2.4, 10.5
# Radii of a ureter and of a renal pelvis, of callus, and half the thickness of an ossified ligament.
URETER_MM, PELVIS_MM, CALLUS_MM, LIGAMENT_MM = 2.0, 8.0, 4.0, 1.5


def calcified_solids(vertebra: PlacedVertebra, thing: ForeignSpec, seed: int) -> list[Solid]:
    """Return the solids that make up a dense thing that is not metal; none for other kinds."""
    maker = {
        ForeignObject.COARSE_CALCIFICATION: _coarse_aorta,
        ForeignObject.DISC_CALCIFICATION: _disc_chalk,
        ForeignObject.RIB_CALLUS: _callus,
        ForeignObject.OSSIFIED_LIGAMENT: _ligament,
        ForeignObject.URETER_CONTRAST: _ureter,
        ForeignObject.BOWEL_CONTRAST: _bowel,
    }.get(thing.kind)
    return maker(vertebra, thing.side, seed) if maker else []


def _around(centre: Point, reach: Point) -> Extent:
    (x, y, z), (a, b, c) = centre, reach
    return (x - a, x + a), (y - b, y + b), (z - c, z + c)


def _coarse_aorta(vertebra: PlacedVertebra, _: Side, seed: int) -> list[Solid]:
    m = vertebra.shape.measures
    forwards = 4.0 if vertebra.level.is_thoracic else 12.0
    centre = (aorta_left_mm(vertebra.level), m.wall_mm - m.depth_mm - forwards, 0.0)

    def distance(at: Coordinates) -> Float32Array:
        radius = np.hypot(at[0] - np.float32(centre[0]), at[1] - np.float32(centre[1]))
        plates = smooth_noise(at, seed=(seed, vertebra.number, 72), scale_mm=6.0)
        ring = np.abs(radius - np.float32(AORTA_MM - PLATE_MM / 2)) - np.float32(PLATE_MM / 2)
        return np.asarray(np.maximum(ring, -2.5 * (plates + 0.5)), dtype=np.float32)

    return [Solid(_around(centre, (12.0, 12.0, 40.0)), distance, PLAQUE_HU, outside_bone=True)]


def _disc_chalk(vertebra: PlacedVertebra, side: Side, _: int) -> list[Solid]:
    m, sign = vertebra.shape.measures, side_sign(side)
    up = m.height_mm / 2 + 0.5 * (m.spacing_above_mm - m.height_mm)
    lumps: tuple[tuple[Point, Point], ...] = (
        ((sign * 6.0, -2.0, up), (5.0, 4.0, 1.6)),
        ((sign * 6.0 - 7.0, 3.0, up + 0.8), (2.5, 2.0, 1.4)),
        ((sign * 6.0 + 2.0, -0.38 * m.depth_mm, up - 0.5), (6.0, 1.5, 1.8)),
    )
    return [
        Solid(
            _around(c, (r[0] + 1, r[1] + 1, r[2] + 1)),
            lambda at, c=c, r=r: distance_to_ellipsoid(at, c, r),  # type: ignore[misc]
            DISC_CHALK_HU,
            outside_bone=True,
        )
        for c, r in lumps
    ]


def _callus(vertebra: PlacedVertebra, side: Side, seed: int) -> list[Solid]:
    m, sign = vertebra.shape.measures, side_sign(side) or 1.0
    centre = (sign * (m.width_mm / 2 + 7.0), m.wall_mm + 3.0, 0.35 * m.height_mm)

    def distance(at: Coordinates) -> Float32Array:
        radius = np.sqrt(sum((a - np.float32(c)) ** 2 for a, c in zip(at, centre, strict=True)))
        rough = smooth_noise(at, seed=(seed, vertebra.number, 73), scale_mm=3.0)
        return np.asarray(radius - CALLUS_MM + 0.8 * rough, dtype=np.float32)

    return [Solid(_around(centre, (8.0, 8.0, 8.0)), distance, CALLUS_HU)]


def _ligament(vertebra: PlacedVertebra, _: Side, seed: int) -> list[Solid]:
    m = vertebra.shape.measures
    centre = (0.0, m.wall_mm + 0.6, 0.0)

    def distance(at: Coordinates) -> Float32Array:
        rough = smooth_noise(at, seed=(seed, vertebra.number, 74), scale_mm=5.0)
        flat = np.abs(at[1] - np.float32(centre[1])) - np.float32(LIGAMENT_MM)
        wide = np.abs(at[0]) - np.float32(0.45 * m.half_canal_mm)
        long = np.abs(at[2]) - np.float32(0.6 * m.height_mm)
        return np.asarray(np.maximum(np.maximum(flat, wide), long) + 0.5 * rough, dtype=np.float32)

    reach = (m.half_canal_mm, 4.0, m.height_mm)
    return [Solid(_around(centre, reach), distance, LIGAMENT_BONE_HU, outside_bone=True)]


def _ureter(vertebra: PlacedVertebra, side: Side, _: int) -> list[Solid]:
    m, sign = vertebra.shape.measures, side_sign(side) or 1.0
    left, back = sign * (m.width_mm / 2 + 9.0), m.wall_mm - 0.85 * m.depth_mm
    pelvis = (left + sign * 20.0, back + 6.0, 24.0)
    way: tuple[Point, ...] = (
        pelvis,
        (left + sign * 6.0, back, 6.0),
        (left, back - 1.0, -15.0),
        (left - sign * 2.0, back - 3.0, -60.0),
    )

    def distance(at: Coordinates) -> Float32Array:
        cup = distance_to_ellipsoid(at, pelvis, (PELVIS_MM, PELVIS_MM, 1.4 * PELVIS_MM))
        return np.asarray(np.minimum(cup, distance_to_path(at, way, URETER_MM)), dtype=np.float32)

    low = np.min(way, axis=0) - PELVIS_MM * 1.5
    high = np.max(way, axis=0) + PELVIS_MM * 1.5
    extent = ((low[0], high[0]), (low[1], high[1]), (low[2], high[2]))
    return [Solid(extent, distance, URINE_HU, outside_bone=True)]


def _bowel(vertebra: PlacedVertebra, side: Side, seed: int) -> list[Solid]:
    m = vertebra.shape.measures
    centre = (12.0 * side_sign(side), m.wall_mm - m.depth_mm - 38.0, 0.0)

    def distance(at: Coordinates) -> Float32Array:
        folds = smooth_noise(at, seed=(seed, vertebra.number, 75), scale_mm=7.0)
        loop = distance_to_ellipsoid(at, centre, (24.0, 11.0, 40.0))
        return np.asarray(loop + 4.0 * np.maximum(folds, 0), dtype=np.float32)

    return [Solid(_around(centre, (28.0, 14.0, 44.0)), distance, BOWEL_HU, outside_bone=True)]
