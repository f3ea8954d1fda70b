"""A CT made from vertebra masks alone: bone, discs, canal and what lies around them, before any scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_implants.pieces import waves
from benchmarks.independent_implants.sources import LATTICE_MM, Bools, Doubles, Floats
from benchmarks.independent_implants.spine import CANAL, FORAMEN, Spine
from cementct.core.levels import Level

# Intensities, HU (textbook values at 120 kV).
MUSCLE_HU, FAT_HU, LUNG_HU, AIR_HU = 52.0, -95.0, -850.0, -990.0
BLOOD_HU, SAC_HU, CORD_HU, NERVE_HU = 45.0, 14.0, 40.0, 35.0
ANNULUS_HU, NUCLEUS_HU, PLAQUE_HU = 95.0, 70.0, 950.0
# Thickness of the cortex of body and arch, mm, and its intensity before blur, HU.
BODY_CORTEX_MM, ARCH_CORTEX_MM = 0.8, 1.5
BODY_CORTEX_HU, ARCH_CORTEX_HU = 800.0, 1150.0
# Facets within this distance of the neighbour are sclerotic, mm.
FACET_MM = 2.4
# Radius of the basivertebral vein's mouth, mm.
VEIN_MM = 2.2


@dataclass(frozen=True)
class Patient:
    """What one patient is like.

    Attributes
    ----------
    marrow_hu
        Mean intensity of the marrow: 250 in the young, under 0 in fatty osteoporosis.
    contrast_hu
        Intensity of blood in the aorta.
    plaques
        Share of the aortic wall that is calcified.
    vacuum
        Whether discs hold gas.
    """

    marrow_hu: float
    contrast_hu: float
    plaques: float
    vacuum: bool


def draw_tissue(spine: Spine, patient: Patient, rng: np.random.Generator) -> Floats:
    """Return intensities on the lattice, HU."""
    hu = np.full(spine.labels.shape, MUSCLE_HU, np.float32)
    septa = waves(hu.shape, 7.0, rng)
    hu[septa > 1.25] = -60.0
    front, half = _body_outline(spine)
    thoracic, cervical = _regions(spine)
    _draw_surroundings(spine, hu, front, half, thoracic & ~cervical, cervical, rng)
    _draw_vessels(spine, hu, front, half, patient, rng)
    for number in spine.order:
        if Level.T1.verse_number <= number <= Level.T12.verse_number:
            _draw_ribs(spine, number, hu)
    _draw_soft_spine(spine, hu, thoracic, patient, rng)
    _draw_bone(spine, hu, patient, rng)
    return hu


def _over(spine: Spine, values: list[float]) -> Doubles:
    frames = [spine.frames[n] for n in spine.order]
    at = [f.t_mid for f in frames][::-1]
    rows = spine.line.z0 + LATTICE_MM * np.arange(spine.labels.shape[0])
    return np.asarray(np.interp(rows, at, values[::-1]))


def _rows(spine: Spine) -> Floats:
    rows = np.rint((spine.t - spine.line.z0) / LATTICE_MM)
    return np.asarray(np.clip(rows, 0, spine.labels.shape[0] - 1).astype(np.int32))


def _body_outline(spine: Spine) -> tuple[Floats, Floats]:
    """Return v of the front and half the width of the bodies at every voxel's t."""
    fronts, halves = [], []
    for number in spine.order:
        fronts.append(spine.frames[number].v_front)
        us = spine.u[spine.body == number]
        halves.append(0.5 * float(np.quantile(us, 0.98) - np.quantile(us, 0.02)))
    rows = _rows(spine)
    return _over(spine, fronts)[rows].astype(np.float32), _over(spine, halves)[rows].astype(np.float32)


def _regions(spine: Spine) -> tuple[Bools, Bools]:
    """Return where the chest (and neck) is, and where the neck."""
    rows = _rows(spine)
    last = [n <= Level.T12.verse_number for n in spine.order]
    neck = [n <= Level.C7.verse_number for n in spine.order]
    chest = _over(spine, [float(x) for x in last]) > 0.5
    throat = _over(spine, [float(x) for x in neck]) > 0.5
    return chest[rows], throat[rows]


def _draw_surroundings(
    spine: Spine, hu: Floats, front: Floats, half: Floats, chest: Bools, neck: Bools, rng: np.random.Generator
) -> None:
    u, v = spine.u, spine.v
    width = np.abs(u)
    belly = ~chest & ~neck
    # Psoas lies beside the lumbar bodies; before them fat and bowel.
    psoas = ((width - half - 15) / 15) ** 2 + ((v + 14) / 20) ** 2 < 1
    ahead = belly & (((v < front + 3) | ((width > half + 2) & (v < 4))) & ~psoas)
    hu[ahead] = FAT_HU
    bowel = waves(hu.shape, 14.0, rng)
    gut = ahead & (v < front - 24) & (bowel > 0.1)
    hu[gut] = 30.0
    hu[gut & (bowel > 1.5)] = AIR_HU
    # Lungs reach beside the bodies; the pleura leaves a few millimetres.
    lung = chest & (width > half + 6 + 0.1 * np.maximum(0, v - front)) & (v < 14) & (v > -90)
    vessels = waves(hu.shape, 3.0, rng)
    hu[lung] = LUNG_HU
    hu[lung & (vessels > 2.1)] = MUSCLE_HU
    middle = chest & ~lung & (v < front - 2)
    hu[middle] = FAT_HU + 20
    hu[middle & (bowel > 0.0)] = MUSCLE_HU
    windpipe = neck & (u**2 + (v - front + 20) ** 2 < 64)
    hu[windpipe] = AIR_HU
    gullet = (neck | chest) & ((u - 6) ** 2 + (v - front + 9) ** 2 < 36)
    hu[gullet] = 40.0
    hu[(v > 62 + 6 * np.clip(waves(hu.shape, 20.0, rng), -1, 1)) & (hu > -500)] = FAT_HU


def _draw_vessels(
    spine: Spine, hu: Floats, front: Floats, half: Floats, patient: Patient, rng: np.random.Generator
) -> None:
    u, v = spine.u, spine.v
    thoracic, cervical = _regions(spine)
    wall = waves(hu.shape, 3.0, rng)
    # The aorta lies left of the thoracic bodies and before the lumbar ones, the cava or azygos to the right.
    place_u = np.where(thoracic, half + 6, 9.0)
    place_v = np.where(thoracic, front + 10, front - 12)
    reach = np.sqrt((u - place_u) ** 2 + (v - place_v) ** 2)
    aorta = (reach < 10.5) & ~cervical
    hu[aorta] = patient.contrast_hu
    limit = float(np.quantile(wall, 1 - patient.plaques))
    hu[aorta & (reach > 9.2) & (wall > limit)] = PLAQUE_HU
    vein_u = np.where(thoracic, -6.0, -13.0)
    vein = np.sqrt((u - vein_u) ** 2 + (v - np.where(thoracic, front - 5, front - 11)) ** 2)
    hu[(vein < np.where(thoracic, 3.5, 9.5)) & ~cervical] = 0.6 * patient.contrast_hu + 0.4 * BLOOD_HU


def _draw_ribs(spine: Spine, number: int, hu: Floats) -> None:
    frame = spine.frames[number]
    us = spine.u[spine.body == number]
    half = 0.5 * float(np.quantile(us, 0.98) - np.quantile(us, 0.02))
    for side in (1, -1):
        s = np.linspace(0, 1, 60)
        # Head at the upper endplate, neck behind the transverse process's front, then out and down.
        across = half - 1 + 2.5 + 46 * s
        back = frame.wall[0] - 3 + 30 * np.sqrt(s) - 8 * s**2
        down = frame.pedicle_range[1] - 3 - 12 * s
        near = np.abs(spine.t - frame.t_pedicle) < 26
        zs = np.flatnonzero(near.any(axis=(1, 2)))
        cut = slice(int(zs[0]), int(zs[-1]) + 1)
        width = spine.u[cut] * side
        index = np.clip((width - across[0]) / (across[-1] - across[0]) * 59, 0, 59).astype(np.int32)
        gap = np.sqrt(
            (spine.v[cut] - back[index]) ** 2
            + (0.8 * (spine.t[cut] - down[index])) ** 2
            + np.clip(across[0] - width, 0, None) ** 2
        )
        free = spine.labels[cut] == 0
        hu[cut][(gap < 4.6) & free & (width > across[0] - 4)] = 900.0
        hu[cut][(gap < 3.2) & free & (width > across[0] - 3)] = 180.0


def _draw_soft_spine(
    spine: Spine, hu: Floats, thoracic: Bools, patient: Patient, rng: np.random.Generator
) -> None:
    u, v = spine.u, spine.v
    disc = spine.disc > 0
    depth = ndimage.distance_transform_edt(disc) * LATTICE_MM if disc.any() else np.zeros(disc.shape)
    hu[disc] = ANNULUS_HU
    hu[disc & (depth > 2.0)] = NUCLEUS_HU
    if patient.vacuum:
        hu[disc & (depth > 1.2) & (waves(hu.shape, 5.0, rng) > 1.1)] = -500.0
    canal, foramen = spine.zone == CANAL, spine.zone == FORAMEN
    hu[canal] = -65.0
    half = np.array([min(spine.frames[n].medial.values()) for n in spine.order])
    sac = (u / (0.92 * float(half.mean()))) ** 2 + (v / 6.3) ** 2 < 1
    hu[canal & sac] = SAC_HU
    hu[canal & ((u / 5.0) ** 2 + (v / 3.6) ** 2 < 1)] = np.where(thoracic, CORD_HU, NERVE_HU)[
        canal & ((u / 5.0) ** 2 + (v / 3.6) ** 2 < 1)
    ]
    hu[foramen] = FAT_HU
    for number in spine.order:
        frame = spine.frames[number]
        for side in (1, -1):
            u0 = 0.5 * side * (frame.medial[side] + frame.lateral[side])
            t0 = frame.pedicle_range[0] - 4.0
            near = ((spine.t - t0) / 3.2) ** 2 + ((u - u0) / 5.0) ** 2 + ((v + 1.0) / 2.6) ** 2 < 1
            hu[near & foramen] = NERVE_HU


def _draw_bone(spine: Spine, hu: Floats, patient: Patient, rng: np.random.Generator) -> None:
    import edt

    bone = spine.labels > 0
    depth = edt.edt(spine.labels.astype(np.uint16), anisotropy=(LATTICE_MM,) * 3)
    in_body = spine.body > 0
    # Trabeculae run mostly up and down.
    grain = ndimage.gaussian_filter(rng.standard_normal(hu.shape).astype(np.float32), (1.6, 0.7, 0.7))
    grain /= grain.std()
    patches = waves(hu.shape, 5.0, rng)
    marrow = (
        patient.marrow_hu
        + (35 + 0.25 * max(patient.marrow_hu, 0)) * grain
        + (12 + 0.12 * abs(patient.marrow_hu)) * patches
    )
    marrow = np.where(in_body, marrow, marrow + 110)
    cortex_mm = np.where(in_body, BODY_CORTEX_MM, ARCH_CORTEX_MM) * (1 + 0.25 * patches)
    cortex = np.where(in_body, BODY_CORTEX_HU, ARCH_CORTEX_HU) * (0.7 if patient.marrow_hu < 60 else 1.0)
    hu[bone] = np.where(depth < np.maximum(cortex_mm, 0.35), cortex, marrow)[bone]
    _draw_facets(spine, hu)
    for number in spine.order:
        frame = spine.frames[number]
        t0 = frame.t_mid
        wall = frame.wall[0] + frame.wall[1] * (t0 - frame.t_pedicle)
        inward = wall - spine.v
        vein = np.hypot(spine.t - t0, spine.u) < VEIN_MM * np.clip(1 - inward / 14.0, 0.2, 1)
        hu[vein & (inward > -1.5) & (inward < 13) & (spine.body == number)] = 45.0


def _draw_facets(spine: Spine, hu: Floats) -> None:
    """Make the joints of the arches sclerotic: bone that lies close to the neighbour's."""
    for above, below in zip(spine.order, spine.order[1:], strict=False):
        near = (spine.labels == above) | (spine.labels == below)
        z = np.flatnonzero(near.any(axis=(1, 2)))
        cut = slice(int(z[0]), int(z[-1]) + 1)
        arch = spine.body[cut] == 0
        a, b = (spine.labels[cut] == above) & arch, (spine.labels[cut] == below) & arch
        reach = int(np.ceil(FACET_MM / LATTICE_MM))
        close_a = ndimage.binary_dilation(b, iterations=reach) & a
        close_b = ndimage.binary_dilation(a, iterations=reach) & b
        hu[cut][close_a | close_b] = 900.0
