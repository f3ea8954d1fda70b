"""Cases simulated from real vertebra masks: real shapes, invented tissue, without ribs and sacrum."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.anatomy.body_truth import bodies_of_masks
from benchmarks.anatomy.canal_truth import canal_of_column
from benchmarks.anatomy.cases import REAL_DATA, AnatomyCase, Half
from benchmarks.anatomy.shaping import (
    Degrees,
    Scene,
    body_middle_z,
    narrow_box,
    slab_box,
    turned_grid,
    upright_grid,
)
from benchmarks.anatomy.treat import Wish, treatments_for
from cementct.core.arrays import FloatArray
from cementct.core.grid import Box
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import Level
from cementct.io.files import read_labels
from cementct.io.resample import resample_labels
from cementct.testing.from_masks import simulate_from_masks
from cementct.testing.implant import ImplantCase, implant
from cementct.testing.realspine import borders_of_real, measure_real_vertebrae
from cementct.testing.spec import Scanner

SUBJECTS = {
    "verse004": "sub-verse004_seg-vert_msk",
    "verse010": "sub-verse010_seg-vert_msk",
    "gl003": "sub-gl003_dir-ax_seg-vert_msk",
    "gl017": "sub-gl017_seg-vert_msk",
    "healthivert": "healthivert_0007_seg-vert_msk",
}
# Masks are brought to voxels of this size before they are simulated from, mm.
MASK_MM = 1.0
# Where a case does not cut its outermost vertebrae, the scan ends this far beyond their bodies, mm.
BEYOND_ENDS_MM = 6.0


@dataclass(frozen=True)
class MaskRecipe:
    """CT simulated from some vertebrae of one subject.

    Attributes
    ----------
    name, half
        Of the case.
    subject
        Whose masks: a key of `SUBJECTS`.
    first, last
        Uppermost and lowest vertebra; the scan cuts both of them where `cut` says so, else shows them whole.
    scanner, seed, marrow_hu, cortex_mm
        How it is scanned, and its bone.
    turned_deg
        Of the patient about the left, posterior and superior axis.
    within_mm, slices
        Narrow field of view to all sides; number of slices around the middle vertebra.
    wish
        The treated vertebra.
    """

    name: str
    half: Half
    subject: str
    first: Level
    last: Level
    seed: int
    scanner: Scanner = field(default_factory=Scanner)
    marrow_hu: float = 150.0
    cortex_mm: float = 0.6
    turned_deg: Degrees = (0.0, 0.0, 0.0)
    cut: bool = True
    within_mm: float | None = None
    slices: int | None = None
    wish: Wish | None = None

    def make(self) -> AnatomyCase:
        """Simulate it; ValueError where the treatment has no room."""
        masks = turned_masks(self)
        volume, labels = simulate_from_masks(
            masks, scanner=self.scanner, seed=self.seed, marrow_hu=self.marrow_hu, cortex_mm=self.cortex_mm
        )
        bodies, canal = truth_of_masks(masks, labels)
        maps = {"vertebrae": labels, "bodies": bodies}
        pre: Volume | None = None
        if self.wish:
            made = treated(volume, labels, bodies, self.wish, seed=self.seed, scanner=self.scanner)
            volume, pre = made.post, made.pre
            maps |= {"cement": made.cement, "leaks": made.leaks}
        scene = Scene(volume, maps, canal)
        box = self._view(scene)
        scene = scene.crop(box)
        return AnatomyCase(
            name=self.name,
            description=self._words(),
            family="masks",
            half=self.half,
            slice_mm=self.scanner.slice_spacing_mm,
            post=scene.volume,
            pre=pre.crop(box) if pre else None,
            vertebrae=scene.maps["vertebrae"],
            bodies=scene.maps["bodies"],
            cement=scene.maps.get("cement"),
            leaks=scene.maps.get("leaks"),
            treated=(self.wish.level.verse_number,) if self.wish else (),
            canal_lps_mm=canal,
            names_knowable=False,
        )

    def _view(self, scene: Scene) -> Box:
        z, y, x = scene.volume.grid.shape
        top, bottom = (body_middle_z(scene, level.verse_number) for level in (self.first, self.last))
        if not self.cut:
            beyond = BEYOND_ENDS_MM / scene.volume.grid.spacing_mm[0]
            places = np.flatnonzero((scene.maps["bodies"].labels > 0).any(axis=(1, 2)))
            top, bottom = float(places.max() + beyond), float(places.min() - beyond)
        box = Box((max(0, int(bottom)), 0, 0), (min(z, int(top) + 1), y, x))
        if self.slices:
            middle = (self.first.verse_number + self.last.verse_number) // 2
            box = box.intersection(slab_box(scene, self.slices, body_middle_z(scene, middle)))
        return box.intersection(narrow_box(scene, self.within_mm)) if self.within_mm else box

    def _words(self) -> str:
        words = [
            f"{self.subject} {self.first}–{self.last}",
            f"slices {self.scanner.slice_spacing_mm:g} mm",
            f"noise {self.scanner.noise_hu:g} HU",
            f"marrow {self.marrow_hu:g} HU, cortex {self.cortex_mm:g} mm",
        ]
        if any(self.turned_deg):
            words.append(f"turned {', '.join(f'{d:g}' for d in self.turned_deg)}°")
        if self.within_mm:
            words.append(f"within {self.within_mm:g} mm")
        if self.slices:
            words.append(f"{self.slices} slices")
        if self.wish:
            words.append(self.wish.words)
        return "; ".join(words)


def turned_masks(recipe: MaskRecipe) -> LabelMap:
    """Return the wanted vertebrae of the subject on an upright grid, the patient turned."""
    source = read_labels(REAL_DATA / "masks_only" / f"{SUBJECTS[recipe.subject]}.nii.gz")
    wanted = range(recipe.first.verse_number, recipe.last.verse_number + 1)
    labels = np.where(np.isin(source.labels, list(wanted)), source.labels, 0).astype(np.uint8)
    grid, _ = turned_grid(source.grid, recipe.turned_deg)
    return resample_labels(LabelMap(labels, grid), upright_grid(grid, (MASK_MM,) * 3))


def truth_of_masks(masks: LabelMap, labels: LabelMap) -> tuple[LabelMap, FloatArray]:
    """Return bodies on the grid of `labels`, and the canal's middle, measured on the masks they came from."""
    measured = measure_real_vertebrae(masks)
    bodies = resample_labels(bodies_of_masks(masks, measured), labels.grid).labels
    own = np.where(bodies == labels.labels, bodies, 0).astype(np.uint8)
    canal = canal_of_column(labels, measured, borders_of_real(measured))
    return LabelMap(own, labels.grid), canal


def treated(
    volume: Volume,
    labels: LabelMap,
    bodies: LabelMap,
    wish: Wish,
    *,
    seed: int,
    scanner: Scanner | None = None,
) -> ImplantCase:
    """Return a CT with the first treatment that has room; ValueError where none has."""
    body_ml = float((bodies.labels == wish.level.verse_number).sum()) * bodies.grid.voxel_ml
    error = ValueError(f"{wish.level} is not in view")
    for treatment in treatments_for(wish, body_ml, seed=seed):
        try:
            return implant(volume, labels, (treatment,), seed=seed, scanner=scanner)
        except ValueError as refused:
            error = refused
    raise error
