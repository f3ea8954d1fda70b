"""Simulated patients: a spine with lesions, cement and leaks, scanned before and after injection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array, read_only
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Mask, Volume
from cementct.core.levels import Level
from cementct.testing.before import BoneTruth, judge_bone, truth_before
from cementct.testing.bone import Anatomy, draw_anatomy
from cementct.testing.column import ColumnCoordinates, PlacedVertebra, build_column
from cementct.testing.foreign import draw_foreign
from cementct.testing.labelling import majority, share_of
from cementct.testing.lesions import LesionShape, fit_lesion
from cementct.testing.sampling import Lattices
from cementct.testing.scanner import scan_volume
from cementct.testing.spec import CaseSpec, ForeignObject, Scanner
from cementct.testing.surroundings import borders_of, site_of
from cementct.testing.treating import Injection, inject, judge_case
from cementct.testing.truth import CaseTruth


@dataclass(frozen=True)
class PhantomCase:
    """A simulated case: what a scanner would deliver, and what is true.

    Attributes
    ----------
    spec
        What it was made from.
    post, pre
        The scans, in canonical order; `pre` None where none was wanted.
    truth
        Its numbers.
    vertebrae, bodies, lesion, cement
        Label maps with vertebra numbers on the grid of `post`; a voxel belongs to what fills most of it.
    leaks
        Leak types (1 diskal … 5 access-track).
    canal
        The spinal canal, by the contract's borders.
    cement_share
        Share of each voxel that cement of this treatment fills.
    pre_vertebrae, pre_bodies
        The same labels on the grid of `pre`.
    """

    spec: CaseSpec
    post: Volume
    pre: Volume | None
    truth: CaseTruth
    vertebrae: LabelMap
    bodies: LabelMap
    lesion: LabelMap
    cement: LabelMap
    leaks: LabelMap
    canal: Mask
    cement_share: Float32Array
    pre_vertebrae: LabelMap | None = None
    pre_bodies: LabelMap | None = None


def make_case(spec: CaseSpec | int) -> PhantomCase:
    """Return the simulated case of a spec, or of the random spec of a seed.

    Raises
    ------
    ValueError
        Where lesion, cement or leaks of the spec have no room in the patient.
    """
    if isinstance(spec, int):
        spec = CaseSpec.random(spec)
    column = build_column(spec)
    lesions = _lesions(spec, column)
    lattices = Lattices.of(scan_grid(spec, spec.scanner))
    contrast = any(f.kind is ForeignObject.CONTRAST for f in spec.foreign)
    anatomy = draw_anatomy(spec, column, lattices, lesions, contrast=contrast)
    injection = inject(spec, anatomy, draw_foreign(spec, anatomy, after_injection=True))
    truth = with_destruction(judge_case(spec, anatomy, injection), lesions)
    post = Volume(scan_volume(anatomy.hu, lattices, spec.scanner, seed=spec.seed), lattices.scan)
    labels = _label_maps(anatomy, injection)
    del anatomy
    before = _scan_before(spec, lesions) if spec.pre_scanner else None
    if before and spec.compressed_before is not None:
        truth = truth_before(truth, spec.compressed_before, before.bones)
    return PhantomCase(
        spec=spec,
        post=post,
        pre=before.volume if before else None,
        truth=truth,
        **labels,
        canal=_canal(lattices.scan, column, labels["vertebrae"], labels["bodies"]),
        cement_share=read_only(share_of(injection.cement, lattices)),
        pre_vertebrae=before.vertebrae if before else None,
        pre_bodies=before.bodies if before else None,
    )


def scan_grid(spec: CaseSpec, scanner: Scanner) -> Grid:
    """Return the grid of a scan of the spec's field of view."""
    spacing = (scanner.slice_spacing_mm, scanner.pixel_mm, scanner.pixel_mm)
    n_z, n_y, n_x = (max(1, round(extent / s)) for extent, s in zip(spec.fov_mm, spacing, strict=True))
    z, y, x = (-(n - 1) / 2 * s for n, s in zip((n_z, n_y, n_x), spacing, strict=True))
    c_z, c_y, c_x = spec.fov_centre_mm
    return Grid((n_z, n_y, n_x), spacing, (x + c_x, y + c_y, z + c_z))


def with_destruction(truth: CaseTruth, lesions: Mapping[Level, LesionShape]) -> CaseTruth:
    """Return the truth with the types of destruction that the lesions have by volume."""
    kinds = {level.value: lesion.destruction for level, lesion in lesions.items()}
    vertebrae = [replace(v, destruction=kinds.get(v.level, v.destruction)) for v in truth.vertebrae]
    return replace(truth, vertebrae=tuple(vertebrae))


def lesions_of(spec: CaseSpec) -> dict[Level, LesionShape]:
    """Return the lesions of a spec, as its scans hold them."""
    return _lesions(spec, build_column(spec))


def _lesions(spec: CaseSpec, column: Sequence[PlacedVertebra]) -> dict[Level, LesionShape]:
    shapes = {v.level: v.shape for v in column}
    return {
        t.level: fit_lesion(spec, t.lesion, shapes[t.level]) for t in spec.treatments if t.lesion is not None
    }


@dataclass(frozen=True)
class _Before:
    """The pre-injection scan, its labels, and what is true of the treated bones then."""

    volume: Volume
    vertebrae: LabelMap
    bodies: LabelMap
    bones: dict[int, BoneTruth]


def _scan_before(spec: CaseSpec, lesions: dict[Level, LesionShape]) -> _Before:
    scanner = spec.pre_scanner or spec.scanner
    lattices = Lattices.of(scan_grid(spec, scanner))
    contrast = any(f.kind is ForeignObject.CONTRAST for f in spec.foreign)
    anatomy = draw_anatomy(spec, build_column(spec, spec.movement), lattices, lesions, contrast=contrast)
    inject(spec, anatomy, draw_foreign(spec, anatomy, after_injection=False), only_old=True)
    levels = dict(spec.compressed_before or ())
    sites = [site_of(spec, anatomy, t.level) for t in spec.treatments if t.level in levels]
    return _Before(
        Volume(scan_volume(anatomy.hu, lattices, scanner, seed=spec.seed + 104729), lattices.scan),
        LabelMap(majority(anatomy.vertebrae, lattices), lattices.scan),
        LabelMap(majority(anatomy.bodies, lattices), lattices.scan),
        {site.number: judge_bone(site) for site in sites},
    )


def _label_maps(anatomy: Anatomy, injection: Injection) -> dict[str, LabelMap]:
    lattices = anatomy.lattices
    arrays = {
        "vertebrae": anatomy.vertebrae,
        "bodies": anatomy.bodies,
        "lesion": anatomy.lesions,
        "cement": injection.cement,
        "leaks": injection.leaks,
    }
    return {name: LabelMap(majority(array, lattices), lattices.scan) for name, array in arrays.items()}


def _canal(grid: Grid, column: Sequence[PlacedVertebra], vertebrae: LabelMap, bodies: LabelMap) -> Mask:
    """Return the canal on the scan's own grid; discs are told by lying in front of the walls."""
    at = ColumnCoordinates.on(grid, column)
    borders = borders_of(column)
    half, depth = at.interpolate(borders.half_canal_mm), at.interpolate(borders.canal_depth_mm)
    inside: BoolArray = np.asarray((np.abs(at.left_mm) < half) & (at.behind_wall_mm > 0.0))
    inside &= (at.behind_wall_mm < depth) & (vertebrae.labels == 0) & (bodies.labels == 0)
    return Mask(inside, grid)
