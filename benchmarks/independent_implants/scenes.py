"""What was done to a vertebra: destruction, and the injection of cement into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from benchmarks.independent_implants.leaks import needle_way
from benchmarks.independent_implants.pieces import Canvas, grow, lobes, wall_at, waves
from benchmarks.independent_implants.plan import Scene
from benchmarks.independent_implants.sources import LATTICE_MM

# Cement fills at most this share of a body (two-sided injection reaches 0.29 on average; Neurospine 2023).
MOST_OF_BODY = 0.42
# Lytic tumour and sclerosis, HU.
LYTIC_HU, SCLEROTIC_HU = (25.0, 85.0), (450.0, 850.0)


@dataclass(frozen=True)
class Dose:
    """How much of what cement is injected.

    Attributes
    ----------
    volume_ml
        In the body.
    hu
        Of solid cement.
    spongy
        Share of its opacity that is lost where it interdigitates at its border.
    deposits
        One lobe, or two through two pedicles.
    """

    volume_ml: float
    hu: float
    spongy: float
    deposits: int


def choose_dose(scene: Scene, body_ml: float, rng: np.random.Generator) -> Dose:
    """Return a dose as it fits the scene and the body."""
    share = rng.uniform(0.12, 0.30)
    if scene in {Scene.TOUCHING, Scene.DISC}:
        share = rng.uniform(0.25, MOST_OF_BODY)
    hu = float(np.exp(rng.uniform(np.log(1100), np.log(4000))))
    if scene is Scene.DILUTE:
        hu = float(rng.uniform(620, 950))
    return Dose(
        float(np.clip(share * body_ml, 0.6, 9.0)), hu, float(rng.uniform(0.0, 0.55)), int(rng.integers(1, 3))
    )


def destroy(canvas: Canvas, number: int, scene: Scene) -> None:
    """Draw the lesion of a scene into a body."""
    rng, spine = canvas.rng, canvas.spine
    frame = spine.frames[number]
    body = spine.body == number
    ml = float(body.sum()) * LATTICE_MM**3 / 1000
    at_wall = scene in {Scene.SHEET, Scene.MIXED, Scene.FORAMEN}
    wall = wall_at(spine, number, frame.t_mid)
    depth = wall - frame.v_front
    centre = [
        frame.t_mid + rng.uniform(-3, 3),
        frame.u_mid + rng.uniform(-7, 7),
        wall - depth * (rng.uniform(0.12, 0.25) if at_wall else rng.uniform(0.4, 0.6)),
    ]
    radii = rng.uniform(0.8, 1.3, (1, 3))
    order, window = lobes(canvas, number, np.array([centre]), 9.0 * radii, 0.22)
    mask = grow(order, spine.body[window] == number, ml * rng.uniform(0.15, 0.38))
    canvas.lesion[window][mask] = number
    texture = waves(mask.shape, 2.0, rng)
    canvas.lesion_hu[window][mask] = (rng.uniform(*LYTIC_HU) + 9 * texture)[mask]
    if scene is Scene.MIXED:
        patches = waves(mask.shape, 3.5, rng)
        limit = float(np.quantile(patches[mask], rng.uniform(0.4, 0.65)))
        hard = mask & (patches > limit)
        canvas.sclerotic[window][hard] = True
        canvas.lesion_hu[window][hard] = (rng.uniform(*SCLEROTIC_HU) + 70 * texture)[hard]


def inject(canvas: Canvas, number: int, dose: Dose, *, inset_mm: float, seek_lesion: bool) -> None:
    """Fill part of a body with cement.

    Parameters
    ----------
    canvas, number, dose
        Where, and what.
    inset_mm
        Cement keeps off the body's surface by this (intact cortex); 0: it touches it.
    seek_lesion
        Whether it prefers destroyed bone.
    """
    rng, spine = canvas.rng, canvas.spine
    frame = spine.frames[number]
    wall = wall_at(spine, number, frame.t_mid)
    depth = wall - frame.v_front
    sides = [rng.choice([-1, 1])] if dose.deposits == 1 else [-1, 1]
    middles = []
    for side in sides:
        away = 3.0 if dose.deposits == 1 else 0.5 * frame.medial[1] + 5.0
        middles.append(
            [
                frame.t_mid + rng.uniform(-3, 3),
                frame.u_mid + side * away,
                wall - depth * rng.uniform(0.4, 0.68),
            ]
        )
    if seek_lesion and (canvas.lesion == number).any() and rng.random() < 0.8:
        # The needle is aimed at the lesion.
        place = [float(np.median(a[canvas.lesion == number])) for a in (spine.t, spine.u, spine.v)]
        middles = [[0.5 * (a + b) for a, b in zip(m, place, strict=True)] for m in middles]
    order, window = lobes(
        canvas, number, np.array(middles), 8.0 * rng.uniform(0.8, 1.25, (len(middles), 3)), 0.2
    )
    body = spine.body[window] == number
    if inset_mm > 0:
        body = ndimage.distance_transform_edt(body) * LATTICE_MM > inset_mm
    lesion = canvas.lesion[window] == number
    if seek_lesion and lesion.any():
        order = np.where(lesion, 0.62 * order, order).astype(np.float32)
    total = float((spine.body == number).sum()) * LATTICE_MM**3 / 1000
    if dose.deposits == 1:
        mask = grow(order, body, min(dose.volume_ml, MOST_OF_BODY * total))
    else:
        # Two deposits may stay apart: both lobes are kept.
        count = round(min(dose.volume_ml, MOST_OF_BODY * total) / LATTICE_MM**3 * 1000)
        limit = np.partition(order[body], min(count, int(body.sum()) - 1))[min(count, int(body.sum()) - 1)]
        mask = ndimage.binary_opening(body & (order <= limit))
    canvas.pour(number, mask, window)


def fill_with_gas(canvas: Canvas, number: int) -> None:
    """Put gas where the cavity of a lesion stayed empty and lies uppermost (in front)."""
    spine = canvas.spine
    empty = (canvas.lesion == number) & (canvas.cement == 0)
    if empty.any():
        limit = float(np.quantile(spine.v[empty], canvas.rng.uniform(0.2, 0.5)))
        canvas.gas |= ndimage.binary_opening(empty & (spine.v < limit))


def fill_arch(canvas: Canvas, number: int) -> None:
    """Put cement into pedicle and spinous process through a second needle; nothing leaves the bone."""
    spine, rng = canvas.spine, canvas.rng
    frame = spine.frames[number]
    needle_way(canvas, number, int(rng.choice([-1, 1])), beyond_mm=0.0)
    window = canvas.window(number, 45.0)
    bone = (
        (spine.labels[window] == number)
        & (spine.v[window] > frame.lamina_v + 4)
        & (np.abs(spine.u[window]) < 6)
    )
    bone = ndimage.distance_transform_edt(bone) * LATTICE_MM > 0.9
    if bone.any():
        place = np.argwhere(bone)
        seed = place[int(rng.integers(len(place)))]
        index = np.moveaxis(np.indices(bone.shape), 0, -1)
        order = np.linalg.norm((index - seed) * LATTICE_MM, axis=-1).astype(np.float32)
        canvas.pour(number, grow(order, bone, float(rng.uniform(0.25, 0.8))), window)


def colour_cement(canvas: Canvas, number: int, dose: Dose) -> None:
    """Give a vertebra's cement its intensities: solid within, thinner in the sponge at its border."""
    import edt

    where = canvas.cement == number
    if not where.any():
        return
    window = ndimage.find_objects(where.astype(np.int8))[0]
    own = where[window]
    depth = edt.edt(own.astype(np.uint8), anisotropy=(LATTICE_MM,) * 3, black_border=True)
    solid = 1 - dose.spongy * np.exp(-((np.maximum(depth - 0.6, 0) / 1.6) ** 2))
    solid = np.where(canvas.leak[window] > 0, 1 - 0.3 * dose.spongy, solid)
    speckle = 1 + 0.06 * waves(own.shape, 1.0, canvas.rng) + 0.05 * waves(own.shape, 4.0, canvas.rng)
    canvas.cement_hu[window][own] = (dose.hu * solid * speckle)[own]
