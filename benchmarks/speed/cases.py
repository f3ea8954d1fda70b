"""The studies that speed is measured on: phantoms of a spine in a body of 512 × 512 pixels, kept as DICOM."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from benchmarks.accuracy.cases import ROOT
from cementct.core.findings import LeakType, Side
from cementct.core.grid import Box, Grid
from cementct.core.image import Volume
from cementct.core.levels import Level
from cementct.testing.dicom import SeriesDetails, write_ct_series
from cementct.testing.phantom import make_case
from cementct.testing.spec import CaseSpec, CementSpec, LeakSpec, LesionSpec, Scanner, Treatment

CACHE = ROOT / ".cache" / "speed"
SEED = 7
SIZE = 512
SLICES = 300
# Slices of the longest study that shorter ones are cut to, from its lower end.
LENGTHS = (75, 150, 225, SLICES)
# Around the phantom's own field of view lie soft tissue, within an ellipse of these half axes, and air.
HALF_AXES = (0.36, 0.46)
SOFT_TISSUE_HU, NOISE_HU, AIR_HU = 45.0, 12.0, -1000.0
TREATED = ((Level.L2, LeakType.EPIDURAL), (Level.T12, LeakType.DISKAL), (Level.L3, LeakType.PARAVERTEBRAL))


def nine_bodies(length: int = SLICES) -> Path:
    """Return 300 slices of 1 mm with three treated vertebrae and about nine in view, or fewer of them."""
    folder = CACHE / f"long-{length}"
    if not folder.is_dir():
        whole = _embedded(_spine(1.0, 0.7, slices=SLICES, focus=Level.L1, treated=3))
        for n in LENGTHS:
            start = SLICES // 2 - n // 2
            part = whole.crop(Box((start, 0, 0), (start + n, SIZE, SIZE)))
            _write(part, CACHE / f"long-{n}", slice_mm=1.0)
    return folder


def treated(count: int) -> Path:
    """Return 300 slices of 0.6 mm with so many treated vertebrae, one to three."""
    folder = CACHE / f"treated-{count}"
    if not folder.is_dir():
        _write(
            _embedded(_spine(0.6, 0.49, slices=SLICES, focus=Level.L2, treated=count)), folder, slice_mm=0.6
        )
    return folder


def one_vertebra() -> Path:
    """Return 40 slices of 2 mm with one treated vertebra, as large as the vertebra needs."""
    folder = CACHE / "one"
    if not folder.is_dir():
        _write(_spine(2.0, 0.8, slices=40, focus=Level.L2, treated=1), folder, slice_mm=2.0)
    return folder


def many(count: int, into: Path) -> Path:
    """Make a folder of so many copies of the study of one vertebra, and return it."""
    for number in range(count):
        shutil.copytree(one_vertebra(), into / f"study-{number}")
    return into


def _spine(slice_mm: float, pixel_mm: float, *, slices: int, focus: Level, treated: int) -> Volume:
    treatments = tuple(
        Treatment(level, LesionSpec(4.0), CementSpec(3.5), (LeakSpec(kind, 0.2, Side.LEFT),))
        for level, kind in TREATED[:treated]
    )
    spec = CaseSpec(
        seed=SEED,
        focus=focus,
        fov_mm=(slices * slice_mm, 150.0, 150.0),
        treatments=treatments,
        scanner=Scanner(pixel_mm, slice_mm, slice_mm),
    )
    return make_case(spec).post


def _embedded(volume: Volume) -> Volume:
    """Return a volume in the middle of slices of 512 × 512 pixels of a body in air."""
    z, y, x = volume.grid.shape
    rows, columns = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    body = (rows / HALF_AXES[0]) ** 2 + (columns / HALF_AXES[1]) ** 2 < 1.0
    level = np.where(body, SOFT_TISSUE_HU, AIR_HU).astype(np.float32)
    noise = np.random.default_rng(SEED).standard_normal((z, SIZE, SIZE), dtype=np.float32)
    hu = (level + np.float32(NOISE_HU) * noise).astype(np.int16)
    top, left = min(SIZE // 2 - round(0.35 * y), SIZE - y), (SIZE - x) // 2
    hu[:, top : top + y, left : left + x] = volume.hu
    px, py, pz = (float(v) for v in volume.grid.to_lps((0, -top, -left)))
    return Volume(hu, Grid(hu.shape, volume.grid.spacing_mm, (px, py, pz), volume.grid.direction))


def _write(volume: Volume, folder: Path, *, slice_mm: float) -> None:
    # Its own for every process: two that make the cases at once must not write into each other's.
    part = folder.with_name(f"{folder.name}-{os.getpid()}.part")
    write_ct_series(part / "after", volume, SeriesDetails(2, "Spine after", "104500", "B40s", slice_mm))
    if folder.is_dir():
        shutil.rmtree(part)
    else:
        part.replace(folder)
