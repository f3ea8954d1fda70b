"""Independent cases: cement, lesions and leaks put into real scans, and scans made from real masks.

Written from the contract and from medicine by somebody who had not seen the tool's algorithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.accuracy.cases import REAL_DATA, Case, Family, Half
from benchmarks.independent_implants.leaks import draw_leak, needle_way
from benchmarks.independent_implants.pieces import Canvas
from benchmarks.independent_implants.plan import LESIONS, REPORTING, TUNING, Place, Scene
from benchmarks.independent_implants.record import level_name, record_truth
from benchmarks.independent_implants.scan import (
    Pose,
    choose_protocol,
    scan_masks_after,
    scan_real_after,
    see_before,
)
from benchmarks.independent_implants.scanner import CLIP_HU
from benchmarks.independent_implants.scenes import (
    Dose,
    choose_dose,
    colour_cement,
    destroy,
    fill_arch,
    fill_with_gas,
    inject,
)
from benchmarks.independent_implants.sources import (
    AORTA,
    LATTICE_MM,
    Labels,
    Source,
    read_source,
    ribs_on,
    sample,
)
from benchmarks.independent_implants.spine import Spine, build_spine
from benchmarks.independent_implants.tissue import Patient, draw_tissue
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume
from cementct.testing.truth import CaseTruth

TUNING_SEEDS, REPORTING_SEEDS = 42000, 43000
# Levels above and below the treated one that are wholly or partly in view.
NEIGHBOURS = 2
# The scan ends this far above and below the middles of the outermost vertebrae (arches included), mm.
ABOVE_MIDDLE_MM, BELOW_MIDDLE_MM = 14.0, 8.0
# Half the field of view of the chest, voxels of 0.7 mm; the others are kept whole.
CHEST_HALF_VOXELS = 110
# Chance of a scan before injection where there is a lesion.
PRE_SHARE = 0.7


@dataclass(frozen=True)
class ImplantRecipe:
    """One case from its seed; its place in the half's table says where and what."""

    seed: int
    half: Half
    place: Place
    family: Family = Family.INDEPENDENT

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"independent-implant-{self.seed}"

    def make(self) -> Case:
        """Return the case; ValueError where the anatomy has no room for it."""
        rng = np.random.default_rng(self.seed)
        source = _cut(read_source(self.place.source), self.place)
        spine = build_spine(source)
        if self.place.number not in spine.frames:
            raise ValueError(f"vertebra {self.place.number} is not whole in {source.name}")
        canvas = Canvas(spine, rng)
        canvas.blocked = ribs_on(spine.grid, source)
        _treat(canvas, source, self.place)
        return _scan(self, source, canvas)


def independent_implant_recipes(half: Half) -> list[ImplantRecipe]:
    """Return the recipes of a half; none where the data is not there."""
    if not REAL_DATA.is_dir():
        return []
    first, places = (TUNING_SEEDS, TUNING) if half == "tuning" else (REPORTING_SEEDS, REPORTING)
    return [ImplantRecipe(first + i, half, place) for i, place in enumerate(places)]


def _cut(source: Source, place: Place) -> Source:
    """Return the source around the treated vertebrae; the outermost neighbours are cut through."""
    numbers = source.levels()
    treated = [place.number] if place.second is None else [place.number, place.second]
    first = max(0, min(numbers.index(n) for n in treated) - NEIGHBOURS)
    last = min(len(numbers) - 1, max(numbers.index(n) for n in treated) + NEIGHBOURS)
    middles = [float(np.argwhere(source.labels == numbers[i])[:, 0].mean()) for i in (first, last)]
    slice_mm = source.grid.spacing_mm[0]
    high = min(source.grid.shape[0], int(middles[0] + ABOVE_MIDDLE_MM / slice_mm))
    low = max(0, int(middles[1] - BELOW_MIDDLE_MM / slice_mm))
    cut = source.crop_z(low, high)
    if source.name == "chest":
        _, y, x = np.argwhere(cut.labels > 0).mean(axis=0)
        cut = cut.crop_plane((int(y), int(x)), CHEST_HALF_VOXELS)
    return cut


def _treat(canvas: Canvas, source: Source, place: Place) -> None:
    rng, spine, scene = canvas.rng, canvas.spine, place.scene
    number = place.number
    body_ml = float((spine.body == number).sum()) * LATTICE_MM**3 / 1000
    if scene in LESIONS:
        destroy(canvas, number, scene)
    dose = choose_dose(scene, body_ml, rng)
    inject(
        canvas,
        number,
        dose,
        inset_mm=0.0 if scene in {Scene.TOUCHING, Scene.MIXED, Scene.DISC} else float(rng.uniform(0.8, 3.0)),
        seek_lesion=scene in LESIONS,
    )
    if scene is Scene.ARCH:
        fill_arch(canvas, number)
    elif rng.random() < 0.25 and scene is not Scene.TRACK:
        needle_way(canvas, number, int(rng.choice([-1, 1])), beyond_mm=0.0)
    if scene is Scene.GAS:
        fill_with_gas(canvas, number)
    draw_leak(canvas, number, scene, toward_u=_vessel_side(source, spine, number, rng))
    colour_cement(canvas, number, dose)
    if place.second is not None and place.second in spine.frames:
        small = Dose(float(rng.uniform(0.3, 1.0)), dose.hu, dose.spongy, 1)
        inject(canvas, place.second, small, inset_mm=1.0, seek_lesion=False)
        colour_cement(canvas, place.second, small)


def _vessel_side(source: Source, spine: Spine, number: int, rng: np.random.Generator) -> float:
    """Return on which side the aorta lies (positive: left), or now and then the other side, of the cava."""
    aorta = np.argwhere(source.organs == AORTA)
    side = 1.0
    if len(aorta):
        middle = source.grid.to_lps(aorta).mean(axis=0)
        body = spine.grid.to_lps(np.argwhere(spine.body == number)).mean(axis=0)
        side = float(np.sign(middle[0] - body[0]))
    return side if rng.random() < 0.7 else -side


def _scan(recipe: ImplantRecipe, source: Source, canvas: Canvas) -> Case:
    rng, place = canvas.rng, recipe.place
    protocol = choose_protocol(source, rng)
    is_real = source.hu is not None
    tissue = None
    if is_real:
        post = scan_real_after(source, canvas, protocol)
    else:
        marrow = float(rng.uniform(*_marrow_range(place.scene)))
        patient = Patient(
            marrow,
            float(rng.choice([45, 170, 290])),
            float(rng.choice([0.0, 0.05, 0.2])),
            bool(rng.random() < 0.25),
        )
        tissue = draw_tissue(canvas.spine, patient, rng)
        post = scan_masks_after(tissue, canvas, protocol)
    pre = None
    if rng.random() < PRE_SHARE:
        pre = see_before(recipe.place.source, source, canvas, tissue, Pose.random(rng))
    ends = (float(post.grid.origin_lps_mm[2]), float(post.grid.to_lps([post.grid.shape[0] - 1, 0, 0])[2]))
    description = f"{source.name} {level_name(place.number)}: {place.scene}"
    truth = record_truth(canvas, recipe.seed, description, ends)
    return _case(recipe, canvas, (post, pre), truth, protocol.noise_hu if not is_real else None)


def _marrow_range(scene: Scene) -> tuple[float, float]:
    """Return how bright marrow can be, HU: a lytic lesion has to stand out from it."""
    if scene is Scene.POROTIC:
        return -10.0, 40.0
    return (130.0, 240.0) if scene in LESIONS else (60.0, 240.0)


def _case(
    recipe: ImplantRecipe,
    canvas: Canvas,
    scans: tuple[Volume, Volume | None],
    truth: CaseTruth,
    noise_hu: float | None,
) -> Case:
    post, pre = scans
    spine = canvas.spine
    return Case(
        name=recipe.name,
        description=truth.description,
        family=Family.INDEPENDENT,
        half=recipe.half,
        slice_mm=post.grid.spacing_mm[0],
        pixel_mm=post.grid.spacing_mm[1],
        noise_hu=noise_hu,
        clip_hu=CLIP_HU if float(post.hu.max()) == CLIP_HU else None,
        post=post,
        pre=pre,
        vertebrae=LabelMap(_majority(spine.labels, spine.grid, post.grid), post.grid),
        truth=truth,
        lesion=LabelMap(_majority(canvas.lesion, spine.grid, post.grid), post.grid),
        cement=LabelMap(_majority(canvas.cement, spine.grid, post.grid), post.grid),
        leaks=LabelMap(_majority(canvas.leak, spine.grid, post.grid), post.grid),
    )


def _majority(labels: Labels, lattice: Grid, target: Grid) -> NDArray[np.uint8]:
    """Return the label that fills most of every voxel of a coarser grid, where labels fill half of it."""
    out = np.zeros(target.shape, np.uint8)
    best = np.full(target.shape, 0.4999, np.float32)
    size = [max(1, round(w / LATTICE_MM)) for w in target.spacing_mm]
    for number in [int(n) for n in np.unique(labels) if n]:
        window = ndimage.find_objects((labels == number).astype(np.int8))[0]
        points = lattice.to_lps(np.array(np.meshgrid(*[[c.start, c.stop] for c in window])).reshape(3, -1).T)
        box = target.box_around(target.to_index(points), 4.0)
        around = lattice.box_around(lattice.to_index(points), 8.0)
        share = ndimage.uniform_filter((labels[around.slices] == number).astype(np.float32), size)
        value = sample(share, lattice.crop(around), target.crop(box), 0.0)
        view = best[box.slices]
        won = value > view
        view[won] = value[won]
        out[box.slices][won] = number
    return out
