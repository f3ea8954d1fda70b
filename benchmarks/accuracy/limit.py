"""The physical limit: what an estimator reaches that knows everything but how much cement there is.

It knows the true region, the true intensity of cement and of what lies around it, and the scanner's
point-spread function: for each deposit it knows the noise-free difference that this makes to the image.
From the noisy image it estimates by least squares how much of each difference there is; the deposit's volume
is estimated as that share of the true one. Only noise is left to err about. A second estimator adds up the
difference over the deposit's surroundings, as one has to who does not know how cement lies within them.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.accuracy.cases import CACHE, Case, Recipe, cache_file, keep, load
from benchmarks.accuracy.phantoms import PhantomRecipe
from cementct.core.arrays import BoolArray, FloatArray
from cementct.testing.phantom import make_case
from cementct.testing.spec import CaseSpec
from cementct.testing.truth import LeakTruth

# One phantom in so many tells the limit.
ONE_IN = 5
# Differences under this are not worth a voxel, HU.
LEAST_HU = 1.0


@dataclass(frozen=True)
class LimitPoint:
    """One deposit: which, its true volume, and the best estimate.

    Attributes
    ----------
    case, level
        Where.
    kind
        Type of the leak; "cement" for all cement of the vertebra that is no leak.
    true_ml, ml, sum_ml
        Its volume, the estimate by least squares, and that by adding up.
    slice_mm, noise_hu
        How it was scanned.
    """

    case: str
    level: str
    kind: str
    true_ml: float
    ml: float
    sum_ml: float
    slice_mm: float
    noise_hu: float


def limits_of(recipes: Sequence[Recipe], *, jobs: int) -> list[LimitPoint]:
    """Return the limits of the phantoms chosen for it, measured where they are not known yet."""
    chosen = [r for r in recipes if isinstance(r, PhantomRecipe) and r.seed % ONE_IN == 0]
    with ProcessPoolExecutor(jobs) as pool:
        return [point for points in pool.map(_known_limits, chosen) for point in points]


def _known_limits(recipe: Recipe) -> list[LimitPoint]:
    file = CACHE / "limits" / cache_file(recipe).with_suffix(".limit").name
    if file.is_file():
        known: list[LimitPoint] = pickle.loads(zlib.decompress(file.read_bytes()))  # noqa: S301 - see below
        return known
    case = load(recipe)
    points = measure_limits(case) if case is not None else []
    keep(file, points)
    return points


def measure_limits(case: Case) -> list[LimitPoint]:
    """Return the best estimate of every deposit of a phantom; nothing where gas moves with the cement."""
    spec = case.spec
    if spec is None or case.cement is None or any(t.lesion and t.lesion.gas for t in spec.treatments):
        return []
    noiseless = replace(spec, pre_scanner=None, scanner=replace(spec.scanner, noise_hu=0.0))
    with_cement = _image(noiseless)
    bare = tuple(replace(t, cement=None, leaks=()) for t in spec.treatments)
    without = _image(replace(noiseless, treatments=bare))
    signal = with_cement - without
    seen = np.asarray(case.post.hu, dtype=np.float64) - without
    deposits = _deposits(case)
    near = _nearest(np.abs(signal) >= LEAST_HU, [mask for *_, mask in deposits], case.post.grid.spacing_mm)
    out = []
    for number, (level, kind, true_ml, _) in enumerate(deposits, start=1):
        own = near == number
        known, noisy = signal[own], seen[own]
        power = float(known @ known)
        if power > 0 and true_ml > 0:
            noise = spec.scanner.noise_hu
            estimate = true_ml * float(known @ noisy) / power
            added = true_ml * float(noisy.sum() / known.sum())
            out.append(LimitPoint(case.name, level, kind, true_ml, estimate, added, case.slice_mm, noise))
    return out


def _image(spec: CaseSpec) -> FloatArray:
    return np.asarray(make_case(spec).post.hu, dtype=np.float64)


Deposit = tuple[str, str, float, BoolArray]


def _deposits(case: Case) -> list[Deposit]:
    """Return level, type, volume and voxels of cement that is no leak, and of each leak with voxels."""
    if case.cement is None or case.leaks is None:
        return []
    out: list[Deposit] = []
    for vertebra in case.truth.treated:
        own = np.asarray(case.cement.labels == vertebra.number)
        leaked = sum(k.volume_ml for k in vertebra.leaks)
        inside = own & (case.leaks.labels == 0)
        if inside.any():
            out.append((vertebra.level, "cement", (vertebra.cement_volume_ml or 0.0) - leaked, inside))
        for leak in vertebra.leaks:
            mask = _leak_voxels(case, leak, own)
            if mask.any():
                out.append((vertebra.level, leak.type.value, leak.volume_ml, mask))
    return out


def _leak_voxels(case: Case, leak: LeakTruth, own: BoolArray) -> BoolArray:
    from benchmarks.accuracy.matching import piece_nearest

    if case.leaks is None:
        return np.zeros(case.post.grid.shape, dtype=np.bool_)
    typed = np.asarray(own & (case.leaks.labels == leak.type.number))
    return piece_nearest(typed, leak.centroid_lps_mm, case.leaks.grid)


def _nearest(
    where: BoolArray, masks: Sequence[BoolArray], spacing_mm: tuple[float, float, float]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int_]]:
    """Return the number of the nearest mask (from 1) at every voxel that is asked for, 0 elsewhere."""
    from scipy import ndimage

    numbers = np.zeros(where.shape, dtype=np.int_)
    for number, mask in enumerate(masks, start=1):
        numbers[mask] = number
    if not masks:
        return numbers
    index = ndimage.distance_transform_edt(
        numbers == 0, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    return np.asarray(np.where(where, numbers[tuple(index)], 0))
