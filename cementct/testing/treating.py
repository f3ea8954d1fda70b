"""Cement put into a drawn patient, and what is then true of every vertebra."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cementct.anatomy.model import Compartment
from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.findings import LeakType, Side
from cementct.testing.bone import Anatomy
from cementct.testing.borders import ByteArray
from cementct.testing.cementing import cement_in_bone
from cementct.testing.foreign import draw_gas, draw_gas_cleft
from cementct.testing.judging import (
    foramen_distance_mm,
    heights_mm,
    judge_leaks,
    leak_types,
    wall_distance_mm,
    wall_is_involved,
)
from cementct.testing.leaks import place_leak
from cementct.testing.noise import smooth_noise
from cementct.testing.site import Site
from cementct.testing.spec import CaseSpec, ForeignObject, LesionSpec, Treatment
from cementct.testing.surroundings import site_of
from cementct.testing.truth import CaseTruth, LeakTruth, VertebraTruth, category_of

# Smooth variation of the intensity inside one deposit, as a share of it.
OPACITY_SPREAD = 0.02
# Less of a body than this at the scan's edge is not a vertebra in view.
LEAST_BODY_ML = 0.5
# Height loss from which a body counts as compressed (the contract).
COMPRESSED_FROM = 0.20


@dataclass(frozen=True)
class Injected:
    """Cement of one vertebra, on the block of its site."""

    voxels: BoolArray
    track: BoolArray
    opacity: Float32Array


@dataclass
class Injection:
    """All cement of a case on the fine lattice, while it is being placed.

    Attributes
    ----------
    cement, leaks
        Vertebra numbers and leak types of this treatment's cement.
    old
        Vertebra numbers of cement from an earlier treatment.
    records
        What is true of the treated vertebrae, by number.
    """

    cement: ByteArray
    leaks: ByteArray
    old: ByteArray
    records: dict[int, VertebraTruth] = field(default_factory=dict)


def inject(spec: CaseSpec, anatomy: Anatomy, metal: BoolArray, *, only_old: bool = False) -> Injection:
    """Put cement, leaks and gas of all treatments into `anatomy.hu`, and judge them.

    Parameters
    ----------
    spec
        The case.
    anatomy
        Its anatomy, foreign objects included.
    metal
        Where no cement can go.
    only_old
        Leave this treatment's cement out: the pre-injection scan.
    """
    cement, leaks_map, old = (np.zeros(anatomy.lattices.fine.shape, dtype=np.uint8) for _ in range(3))
    done = Injection(cement, leaks_map, old)
    for treatment in spec.treatments:
        if only_old and (treatment.cement is None or not treatment.cement.old):
            continue
        site = site_of(spec, anatomy, treatment.level)
        site = replace(site, solid=site.solid | metal[site.box.slices])
        taken = np.asarray((done.cement[site.box.slices] > 0) | (done.old[site.box.slices] > 0))
        injected = inject_site(site, treatment, taken, seed=spec.seed)
        is_old = treatment.cement is not None and treatment.cement.old
        hu = anatomy.hu[site.box.slices]
        if treatment.lesion is not None and treatment.lesion.gas:
            draw_gas(hu, site, injected.voxels)
        hu[injected.voxels] = injected.opacity[injected.voxels]
        if not only_old and any(
            f.kind is ForeignObject.GAS and f.level is treatment.level for f in spec.foreign
        ):
            draw_gas_cleft(hu, site, injected.voxels)
        (done.old if is_old else done.cement)[site.box.slices][injected.voxels] = site.number
        types = (
            np.zeros_like(site.compartments) if is_old else leak_types(site, injected.voxels, injected.track)
        )
        view = done.leaks[site.box.slices]
        view[types > 0] = types[types > 0]
        names = {v.number: v.level.value for v in anatomy.column}
        leaks = judge_leaks(site, types, names, list(names))
        done.records[site.number] = judge_treated(site, treatment, injected, leaks)
    return done


def inject_site(site: Site, treatment: Treatment, taken: BoolArray, *, seed: int) -> Injected:
    """Return the cement of one treatment: in the bone and in all its leaks."""
    voxels = np.zeros(taken.shape, dtype=np.bool_)
    track = np.zeros(taken.shape, dtype=np.bool_)
    opacity = np.zeros(taken.shape, dtype=np.float32)
    cement = treatment.cement
    if cement is None:
        return Injected(voxels, track, opacity)
    ways = np.zeros(taken.shape, dtype=np.bool_)
    for index, leak in enumerate(treatment.leaks):
        plan = place_leak(site, leak, taken | voxels, seed=(seed, site.number, index))
        voxels |= plan.voxels
        ways |= plan.way
        opacity[plan.voxels] = leak.opacity_hu or cement.opacity_hu
        if leak.type is LeakType.ACCESS_TRACK:
            track |= plan.voxels
    inside = cement_in_bone(site, cement, ways, seed=(seed, site.number))
    opacity[inside] = cement.opacity_hu
    voxels |= inside
    at = (site.at[0][voxels], site.at[1][voxels], site.at[2][voxels])
    spread = OPACITY_SPREAD + cement.unevenness
    opacity[voxels] *= 1 + np.float32(spread) * smooth_noise(at, seed=(seed, site.number, 51), scale_mm=5.0)
    return Injected(voxels, track, opacity)


def judge_treated(
    site: Site, treatment: Treatment, injected: Injected, leaks: tuple[LeakTruth, ...]
) -> VertebraTruth:
    """Return what is true of a vertebra with cement or a lesion."""
    ml = site.grid.voxel_ml
    cement = injected.voxels
    new = bool(cement.any()) and treatment.cement is not None and not treatment.cement.old
    body = site.own_body
    lesion_ml = float(site.lesion.sum()) * ml
    filled = float((site.lesion & cement).sum()) * ml
    pedicle = (site.compartments == Compartment.PEDICLE_LEFT) | (
        site.compartments == Compartment.PEDICLE_RIGHT
    )
    in_body = float((cement & body).sum()) * ml
    centre = site.grid.to_lps(np.argwhere(body).mean(axis=0))
    lesion: LesionSpec | None = treatment.lesion
    rate = filled / lesion_ml if new and lesion is not None and lesion_ml > 0 else None
    return VertebraTruth(
        level=treatment.level.value,
        number=site.number,
        complete=True,
        treated=new,
        centroid_lps_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        body_volume_ml=float(body.sum()) * ml,
        old_cement_ml=0.0 if new else float(cement.sum()) * ml,
        cement_volume_ml=float(cement.sum()) * ml if new else None,
        cement_in_body_ml=in_body if new else None,
        cement_in_pedicle_ml=float((cement & pedicle & site.own).sum()) * ml if new else None,
        cement_to_body_ratio=in_body / (float(body.sum()) * ml) if new else None,
        cement_opacity_hu=treatment.cement.opacity_hu if new and treatment.cement else None,
        lesion_volume_ml=lesion_ml if lesion else None,
        filling_rate=rate,
        filling_category=category_of(rate) if rate is not None else None,
        destruction=lesion.destruction if lesion else None,
        posterior_wall_involved=wall_is_involved(site, site.lesion) if lesion else None,
        leaks=leaks,
        posterior_wall_distance_mm=_wall_distance(site, cement, leaks) if new else None,
        left_foramen_distance_mm=foramen_distance_mm(site, cement, Side.LEFT) if new else None,
        right_foramen_distance_mm=foramen_distance_mm(site, cement, Side.RIGHT) if new else None,
        heights_mm=heights_mm(site),
    )


def _wall_distance(site: Site, cement: BoolArray, leaks: tuple[LeakTruth, ...]) -> float | None:
    if any(leak.type is LeakType.EPIDURAL for leak in leaks):
        return 0.0
    return wall_distance_mm(site, cement)


def judge_case(spec: CaseSpec, anatomy: Anatomy, injection: Injection) -> CaseTruth:
    """Return the truth of every vertebra in view, treated or not."""
    lost = dict(spec.compressed)
    found = []
    for vertebra in anatomy.column:
        inside = anatomy.bodies == vertebra.number
        layers = inside.any(axis=(1, 2))
        if np.count_nonzero(inside) * anatomy.lattices.fine.voxel_ml < LEAST_BODY_ML:
            continue
        record = injection.records.get(vertebra.number)
        if record is None:
            record = _untreated(anatomy, vertebra.number, vertebra.level.value)
        record = replace(record, complete=not (layers[0] or layers[-1]))
        compression = lost.get(vertebra.level)
        if vertebra.level.value != "S1":
            loss = (
                max(compression.anterior, compression.middle, compression.posterior) if compression else 0.0
            )
            record = replace(record, height_loss=loss, compressed=loss >= COMPRESSED_FROM)
        found.append(record)
    kinds = tuple(f.kind.value for f in spec.foreign)
    return CaseTruth(spec.seed, "phantom", tuple(found), kinds)


def _untreated(anatomy: Anatomy, number: int, level: str) -> VertebraTruth:
    inside = anatomy.bodies == number
    grid = anatomy.lattices.fine
    centre = grid.to_lps(np.argwhere(inside).mean(axis=0))
    return VertebraTruth(
        level=level,
        number=number,
        complete=True,
        treated=False,
        centroid_lps_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        body_volume_ml=float(inside.sum()) * grid.voxel_ml,
    )
