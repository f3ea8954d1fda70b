"""Dense and dark things that are not cement: metal, dense bone, calcification and gas."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.findings import Side
from cementct.testing.bone import Anatomy
from cementct.testing.calcified import calcified_solids
from cementct.testing.column import local_coordinates
from cementct.testing.leak_geometry import along_and_across, needle_line
from cementct.testing.metalwork import METAL_HU, metal_solids
from cementct.testing.noise import smooth_noise
from cementct.testing.painting import paint_solid
from cementct.testing.places import side_sign
from cementct.testing.site import Site
from cementct.testing.spec import CaseSpec, ForeignObject, ForeignSpec
from cementct.testing.surroundings import site_of
from cementct.testing.tissue import aorta_left_mm

# Intensities: bone islands and sclerotic metastases as measured (AJR 2016;207:362): 1190 +- 239 and
# 654 +- 176 HU.
BONE_ISLAND_HU = 1190.0
SCLEROTIC_METASTASIS_HU = 650.0
CALCIFICATION_HU = 1000.0
GAS_HU = -950.0
CEMENT_IN_CANNULA_HU = 2500.0
# Half the height of a cleft with gas in a body.
GAS_CLEFT_MM = 3.0
# A 13-gauge bone needle: outer and inner radius; how far it reaches out of the body.
NEEDLE_RADIUS_MM = 1.2
NEEDLE_BORE_MM = 0.8
NEEDLE_LENGTH_MM = 130.0
# A pedicle screw: radii of its core and of its thread, pitch, length, and radius of its head.
SCREW_CORE_MM = 2.2
SCREW_THREAD_MM = 3.0
SCREW_PITCH_MM = 2.8
SCREW_LENGTH_MM = 48.0
SCREW_HEAD_MM = 6.0

IN_BOTH_SCANS = frozenset(
    {
        ForeignObject.SCREW,
        ForeignObject.BONE_ISLAND,
        ForeignObject.SCLEROTIC_METASTASIS,
        ForeignObject.AORTIC_CALCIFICATION,
        ForeignObject.CONTRAST,
        ForeignObject.LEAD,
        ForeignObject.STERNAL_WIRE,
        ForeignObject.CLIPS,
        ForeignObject.AORTIC_STENT,
        ForeignObject.CAVA_FILTER,
        ForeignObject.HIP_PROSTHESIS,
        ForeignObject.VERTEBRAL_STENT,
        ForeignObject.DISC_CAGE,
        ForeignObject.COARSE_CALCIFICATION,
        ForeignObject.DISC_CALCIFICATION,
        ForeignObject.RIB_CALLUS,
        ForeignObject.OSSIFIED_LIGAMENT,
        ForeignObject.URETER_CONTRAST,
        ForeignObject.BOWEL_CONTRAST,
    }
)


def draw_foreign(spec: CaseSpec, anatomy: Anatomy, *, after_injection: bool) -> BoolArray:
    """Draw all foreign objects into `anatomy.hu` and return where metal is, on the fine lattice.

    Parameters
    ----------
    spec
        The case.
    anatomy
        Its anatomy, without cement.
    after_injection
        Whether needles are there as well; screws, calcification and dense bone are in both scans.
    """
    metal = np.zeros(anatomy.hu.shape, dtype=np.bool_)
    for thing in spec.foreign:
        if not (after_injection or thing.kind in IN_BOTH_SCANS):
            continue
        if thing.kind in {ForeignObject.CONTRAST, ForeignObject.GAS}:
            continue
        vertebra = anatomy.at(thing.level)
        solids = [*metal_solids(vertebra, thing), *calcified_solids(vertebra, thing, spec.seed)]
        for solid in solids:
            paint_solid(anatomy, vertebra, solid, metal)
        if solids:
            continue
        site = site_of(spec, anatomy, thing.level)
        if thing.kind in {ForeignObject.SCREW, ForeignObject.NEEDLE, ForeignObject.NEEDLE_WITH_CEMENT}:
            _draw_rod(anatomy, site, thing, metal)
        elif thing.kind is ForeignObject.AORTIC_CALCIFICATION:
            _draw_calcification(anatomy, site, thing)
        else:
            _draw_dense_bone(anatomy, site, thing, spec.seed)
    return metal


def draw_gas(
    hu_block: np.ndarray[tuple[int, ...], np.dtype[np.float32]], site: Site, cement: BoolArray
) -> None:
    """Fill the foremost tenth of the lesion, where no cement is, with gas (the patient lies on the back)."""
    empty = site.lesion & ~cement
    if empty.any():
        level = np.quantile(site.at[1][site.lesion], 0.15)
        hu_block[empty & (site.at[1] < level)] = GAS_HU


def draw_gas_cleft(
    hu_block: np.ndarray[tuple[int, ...], np.dtype[np.float32]], site: Site, cement: BoolArray
) -> None:
    """Draw a flat cleft with gas on the front of the cement, within the body."""
    m = site.measures
    room = site.own_body & ~cement & (site.body_depth_mm < -1.0)
    if not (cement & site.own_body).any() or not room.any():
        return
    left, back, up = site.points(cement & site.own_body)
    front = float(np.quantile(back, 0.1))
    near = back < front + 3.0
    middle = (float(left[near].mean()), front, float(up[near].mean()))
    half = (0.28 * m.width_mm, 0.2 * m.depth_mm, GAS_CLEFT_MM)
    offset = [(a - np.float32(c)) / np.float32(h) for a, c, h in zip(site.at, middle, half, strict=True)]
    hu_block[room & (sum(o * o for o in offset) < 1.0)] = GAS_HU


def _draw_rod(anatomy: Anatomy, site: Site, thing: ForeignSpec, metal: BoolArray) -> None:
    """Draw a screw or a needle on its way through a pedicle, beyond the site's block where it is longer."""
    tip, direction = needle_line(site, thing.side)
    is_screw = thing.kind is ForeignObject.SCREW
    length = SCREW_LENGTH_MM if is_screw else NEEDLE_LENGTH_MM
    ends = site.frame.to_lps(np.stack([tip, tip + direction * length]))
    fine = anatomy.lattices.fine
    box = fine.box_around(np.clip(fine.to_index(ends), 0, np.asarray(fine.shape) - 1), 8.0)
    at = local_coordinates(fine.crop(box), site.frame)
    along, across = along_and_across(at, tip, direction)
    hu, in_metal = anatomy.hu[box.slices], metal[box.slices]
    if is_screw:
        thread = SCREW_CORE_MM + (SCREW_THREAD_MM - SCREW_CORE_MM) * (
            0.5 + 0.5 * np.cos(2 * np.pi * along / SCREW_PITCH_MM)
        )
        solid = (across < thread) & (along > 0) & (along < length)
        solid |= np.hypot(across, along - np.float32(length)) < SCREW_HEAD_MM
    else:
        shaft = (along > 0) & (along < length)
        solid = shaft & (across < NEEDLE_RADIUS_MM) & (across >= NEEDLE_BORE_MM)
        bore = shaft & (across < NEEDLE_BORE_MM)
        with_cement = thing.kind is ForeignObject.NEEDLE_WITH_CEMENT
        hu[bore] = CEMENT_IN_CANNULA_HU if with_cement else GAS_HU
        in_metal |= bore
    hu[solid] = METAL_HU
    in_metal |= solid


def _draw_dense_bone(anatomy: Anatomy, site: Site, thing: ForeignSpec, seed: int) -> None:
    m = site.measures
    sign = side_sign(thing.side)
    island = thing.kind is ForeignObject.BONE_ISLAND
    radius = 4.0 if island else 8.5
    centre = as_floats([sign * 0.4 * m.width_mm / 2, 0.05 * m.depth_mm, 0.1 * m.height_mm])
    _draw_blob(anatomy, site, centre, radius, seed, BONE_ISLAND_HU if island else SCLEROTIC_METASTASIS_HU)


def _draw_blob(
    anatomy: Anatomy, site: Site, centre: FloatArray, radius_mm: float, seed: int, hu_inside: float
) -> None:
    inside = site.own & (site.body_depth_mm < -0.3)
    at = site.points(inside)
    radius = np.sqrt(sum((a - np.float32(c)) ** 2 for a, c in zip(at, centre, strict=True)))
    radius = radius + np.float32(0.15 * radius_mm) * smooth_noise(
        at, seed=(seed, site.number, 71), scale_mm=4.0
    )
    block = anatomy.hu[site.box.slices]
    values = block[inside]
    share = np.clip(radius_mm - radius + 0.5, 0.0, 1.0)
    block[inside] = values * (1 - share) + np.float32(hu_inside) * share


def _draw_calcification(anatomy: Anatomy, site: Site, thing: ForeignSpec) -> None:
    """Draw four plaques in the wall of the aorta beside a vertebra."""
    m = site.measures
    level = next(v.level for v in anatomy.column if v.number == site.number)
    centre = as_floats([aorta_left_mm(level), m.wall_mm - m.depth_mm - 11.0])
    block = anatomy.hu[site.box.slices]
    start = 0.4 if thing.side is Side.LEFT else 2.2
    for index, angle in enumerate((start, start + 1.2, start + 2.6, start + 3.9)):
        left, back = centre + 10.0 * as_floats([np.cos(angle), np.sin(angle)])
        up = (index - 1.5) * 5.0
        inside = (
            ((site.at[0] - left) / 2.2) ** 2
            + ((site.at[1] - back) / 1.8) ** 2
            + ((site.at[2] - up) / 3.5) ** 2
        ) < 1.0
        block[inside & (site.vertebrae == 0)] = CALCIFICATION_HU
