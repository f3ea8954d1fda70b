"""Independent spines: analytic anatomy with physics of its own, made without knowing the algorithms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.cases import Case, Family, Half, Recipe
from benchmarks.independent_spines.anatomy import PEDICLE_LENGTH_MM, Frame, Rod, Shape
from benchmarks.independent_spines.plans import Plan, draw_plan
from benchmarks.independent_spines.scanner import Scanner, nearest, resampled
from benchmarks.independent_spines.scene import RIB, Lesion, Scene, paint_bones, trabeculae
from benchmarks.independent_spines.surroundings import Column, paint_surroundings
from benchmarks.independent_spines.treatment import Deposits, Injection, inject
from benchmarks.independent_spines.truth import Treatment, vertebra_truth
from cementct.core.arrays import Float32Array, LabelArray
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume
from cementct.testing.truth import CaseTruth

SEEDS: dict[Half, range] = {"tuning": range(40000, 40020), "reporting": range(41000, 41030)}
# Spacing of the lattice of truth, mm: along the body axis, and in plane its bounds (never above the pixel).
FINE_Z_MM, FINE_XY_MM = 0.5, (0.4, 0.5)
# Spacing of the lattice of soft tissue, mm, and what the fine lattice reaches beyond the scan.
SOFT_MM, BEYOND_MM = 1.0, 3.0
# Titanium, as stored by a scanner with a wide scale, HU; least and largest radius of a pedicle screw and
# radii of its head, mm.
METAL_HU, SCREW_MM, HEAD_MM = 9000.0, (2.0, 3.2), (5.0, 5.0, 6.0)


@dataclass(frozen=True)
class IndependentSpine:
    """One case from its seed."""

    seed: int
    half: Half
    family: Family = Family.INDEPENDENT

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"independent-spine-{self.seed}"

    def make(self) -> Case:
        """Return the case."""
        plan = draw_plan(self.seed)
        rng = np.random.default_rng((self.seed, 1))
        texture = trabeculae(rng)
        view = _view(plan, plan.post, plan.post_scanner)
        scene = _scene(plan, plan.post, view, texture, self.seed)
        deposits = Deposits(np.zeros(scene.grid.shape, np.uint8), np.zeros(scene.grid.shape, np.bool_))
        _treat(scene, deposits, plan.post, plan.injections)
        post = plan.post_scanner.scan(scene.hu, scene.grid, view, rng)
        shown = np.zeros(scene.grid.shape, np.uint8)
        truth = _truth(plan, scene, deposits, view, shown, self.seed)
        new = np.where(np.isin(deposits.numbers, list(plan.old)), 0, deposits.numbers).astype(np.uint8)
        owner = np.where(scene.owner == RIB, 0, scene.owner).astype(np.uint8)
        maps = [LabelMap(nearest(a, scene.grid, view), view) for a in (owner, scene.lesion, new, shown)]
        del scene, deposits, new, owner, shown
        pre = self._before(plan, texture, rng)
        scanner = plan.post_scanner
        return Case(
            name=self.name,
            description=truth.description,
            family=self.family,
            half=self.half,
            slice_mm=scanner.slice_mm,
            pixel_mm=scanner.pixel_mm,
            noise_hu=scanner.noise_hu,
            clip_hu=3071 if scanner.is_clipped else None,
            post=post,
            pre=pre,
            vertebrae=maps[0],
            truth=truth,
            lesion=maps[1],
            cement=maps[2],
            leaks=maps[3],
            has_metal=bool(plan.screwed),
        )

    def _before(self, plan: Plan, texture: Float32Array, rng: np.random.Generator) -> Volume | None:
        if plan.pre is None:
            return None
        view = _view(plan, plan.pre, plan.pre_scanner)
        scene = _scene(plan, plan.pre, view, texture, self.seed + 7)
        deposits = Deposits(np.zeros(scene.grid.shape, np.uint8), np.zeros(scene.grid.shape, np.bool_))
        _treat(scene, deposits, plan.pre, tuple(k for k in plan.injections if k.number in plan.old))
        return plan.pre_scanner.scan(scene.hu, scene.grid, view, rng)


def independent_spine_recipes(half: Half) -> list[Recipe]:
    """Return the recipes of a half."""
    return [IndependentSpine(seed, half) for seed in SEEDS[half]]


def _view(plan: Plan, column: Column, scanner: Scanner) -> Grid:
    """Return the grid of a scan: all but the outermost vertebrae whole, and some of those."""
    frames, shapes = column.frames, column.shapes
    top = frames[0].centre_lps_mm[2] + 0.1 * shapes[0].height
    bottom = frames[-1].centre_lps_mm[2] - 0.1 * shapes[-1].height
    centre = np.mean([f.centre_lps_mm for f in frames], axis=0)
    count = int(plan.field_mm / scanner.pixel_mm)
    first = centre[:2] + np.asarray(plan.shift_mm) - count * scanner.pixel_mm / 2
    slices = int((top - bottom) / scanner.slice_mm)
    spacing = (scanner.slice_mm, scanner.pixel_mm, scanner.pixel_mm)
    return Grid((slices, count, count), spacing, (float(first[0]), float(first[1]), bottom))


def _lattice(view: Grid, spacing_mm: tuple[float, float, float]) -> Grid:
    shape = [int((e + 2 * BEYOND_MM) / s) for e, s in zip(view.extent_mm, spacing_mm, strict=True)]
    x, y, z = (o - BEYOND_MM for o in view.origin_lps_mm)
    return Grid((shape[0], shape[1], shape[2]), spacing_mm, (x, y, z))


def _scene(plan: Plan, column: Column, view: Grid, texture: Float32Array, seed: int) -> Scene:
    across = float(np.clip(view.spacing_mm[1], *FINE_XY_MM))
    fine, soft = _lattice(view, (FINE_Z_MM, across, across)), _lattice(view, (SOFT_MM, SOFT_MM, SOFT_MM))
    around = paint_surroundings(column, plan.patient, soft, seed)
    hu = resampled(around, soft, fine, SOFT_MM)
    owner, body, lesion = (np.zeros(fine.shape, np.uint8) for _ in range(3))
    scene = Scene(fine, hu, owner, body, lesion)
    lesions: tuple[Lesion, ...] = plan.lesions
    paint_bones(scene, column, plan.quality, texture, lesions)
    for shape, frame in zip(column.shapes, column.frames, strict=True):
        if shape.level.verse_number in plan.screwed:
            _screw(scene, shape, frame)
    return scene


def _screw(scene: Scene, shape: Shape, frame: Frame) -> None:
    """Put a screw with its head through each pedicle, as thick as the pedicle allows."""
    radius = float(np.clip(0.85 * shape.pedicle_half_width, *SCREW_MM))
    up, behind = 0.2 * shape.height, shape.half_depth + PEDICLE_LENGTH_MM + 12
    for side in (-1, 1):
        x = side * (shape.canal_half_width + shape.pedicle_half_width)
        tip = (side * 0.35 * shape.half_width, -0.4 * shape.half_depth, 1.0)
        shaft = Rod(tip, (1.1 * x, behind, up), (radius, radius, radius))
        head = Rod((1.1 * x, behind, up), (1.12 * x, behind + 9, up), HEAD_MM)
        for part in (shaft, head):
            window, uvw = frame.block(scene.grid, *part.bounds())
            hu = scene.hu[window]
            hu[part.distance_mm(*uvw) < 0] = METAL_HU


def _treat(scene: Scene, deposits: Deposits, column: Column, injections: tuple[Injection, ...]) -> None:
    for injection in injections:
        for shape, frame in zip(column.shapes, column.frames, strict=True):
            if shape.level.verse_number == injection.number:
                inject(scene, deposits, shape, frame, injection)


def _truth(
    plan: Plan,
    scene: Scene,
    deposits: Deposits,
    view: Grid,
    shown: LabelArray,
    seed: int,
) -> CaseTruth:
    treatment = Treatment({k.number: k for k in plan.injections}, plan.lesions, plan.old)
    found = [
        vertebra_truth(i, scene, deposits, plan.post, view=view, treatment=treatment, shown=shown)
        for i in range(len(plan.post.shapes))
    ]
    foreign = ("screw",) if plan.screwed else ()
    scanner = plan.post_scanner
    theme = plan.theme.name.lower().replace("_", " ")
    words = (
        f"analytic spine, {theme}; slices {scanner.slice_mm:.2g} mm, marrow "
        f"{plan.quality.marrow_hu:.0f} HU, kernel {'sharp' if scanner.sharpening else 'soft'}"
    )
    return CaseTruth(seed, words, tuple(v for v in found if v is not None), foreign)
