"""What the pattern is learned from: stretches of spine that are vertebrae, and stretches that are not."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace

import numpy as np

from cementct.core.image import NOT_MEASURED_BELOW_HU, PADDING_HU
from cementct.segmentation.vertebrae.embedded.column import find_column
from cementct.segmentation.vertebrae.embedded.discs import measure_discs
from cementct.segmentation.vertebrae.embedded.pattern import PHASES, describe_steps
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

from .scans import S1, LearningScan

BEYOND_MM = 50
# Each scan is learned from so many times, the first time as it is, then made harder.
COPIES = {"real": 14, "masks": 5, "phantom": 5}
KINDS = ("cervical", "thoracic", "lumbar")
LAST_CERVICAL, LAST_THORACIC, T13 = 7, 19, 28
# A vertebra is also learned from a step and a half off: discs are known no better.
SHIFTS_MM = ((0, 0), (-1, 0), (1, 0), (0, 1.5), (0, -1.5))
LEAST_SEEN_SHARE = 0.3
# Stretches that are no vertebra: half of them anywhere, half by this share of a vertebra beside one.
OTHERS, BESIDE_SHARE = 700, (0.12, 0.88)
SPACINGS_MM, SCALES = (12.0, 46.0), (0.8, 1.25)
# Nearer to a vertebra than this share of it at both ends, a stretch is neither.
TOO_NEAR_SHARE = 0.15
# Stretches of the sacrum that begin at its upper end.
SACRAL, SACRAL_SPACINGS_MM, SACRAL_SHIFT_MM = 150, (14.0, 38.0), 4.0


@dataclass(frozen=True)
class Samples:
    """Rows of what the pattern looks at, the share in view last."""

    vertebrae: dict[str, list[np.ndarray]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    others: list[np.ndarray] = field(default_factory=list)


def sample(scan: LearningScan) -> Samples:
    """Return the vertebrae and other stretches of a scan."""
    rng = np.random.default_rng(zlib.crc32(scan.name.encode()))
    true = _vertebrae(scan)
    found = Samples()
    for copy in range(COPIES[scan.kind]):
        spine = _made_harder(scan.spine, rng) if copy else scan.spine
        column = find_column(spine)
        steps = describe_steps(spine, column, measure_discs(spine, column), BEYOND_MM)
        for low, high, number in true:
            shifts = np.array(SHIFTS_MM)
            rows = _looked_at(steps, low + shifts[:, 0], high - low + shifts[:, 1])
            if rows[0, -1] > LEAST_SEEN_SHARE:
                found.vertebrae[_kind(number)].append(rows)
        low, spacing = _elsewhere(scan, true, rng)
        rows = _looked_at(steps, low, spacing)
        found.others.append(rows[rows[:, -1] > LEAST_SEEN_SHARE])
    return found


def _kind(number: int) -> str:
    if number <= LAST_CERVICAL:
        return "cervical"
    return "thoracic" if number <= LAST_THORACIC or number == T13 else "lumbar"


def _vertebrae(scan: LearningScan) -> list[tuple[float, float, int]]:
    """Return lower disc, upper disc and number of each vertebra but S1, those at the ends carried on."""
    discs, numbers = scan.discs, scan.numbers
    inner = list(zip(discs[:-1], discs[1:], numbers[1:-1], strict=True))
    if not inner:
        return []
    ends = []
    if not scan.name.startswith("ibsi"):
        ends.append((discs[0] - 1.03 * (inner[0][1] - inner[0][0]), discs[0], numbers[0]))
    if scan.known_up_to == np.inf:
        ends.append((discs[-1], discs[-1] + 0.97 * (inner[-1][1] - inner[-1][0]), numbers[-1]))
    return [one for one in inner + ends if one[2] != S1]


def _looked_at(steps: np.ndarray, low: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Return the rows of stretches: all features at all phases, and the share in view."""
    places = np.round(low[:, None] + BEYOND_MM + PHASES * spacing[:, None]).astype(int)
    values = steps[np.clip(places, 0, len(steps) - 1)]
    seen = values[:, :, -1].mean(axis=1, keepdims=True)
    return np.concatenate([values[:, :, :-1].reshape(len(values), -1), seen], axis=1)


def _elsewhere(
    scan: LearningScan, true: list[tuple[float, float, int]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower discs and the spacings of stretches that are no vertebra."""
    low = rng.uniform(-30, scan.spine.length + 10, OTHERS)
    spacing = np.exp(rng.uniform(*np.log(SPACINGS_MM), OTHERS))
    if true:
        beside = np.array([(lower, upper - lower) for lower, upper, _ in true])
        beside = beside[rng.integers(0, len(true), OTHERS // 2)]
        low[: OTHERS // 2] = beside[:, 0] + rng.uniform(*BESIDE_SHARE, OTHERS // 2) * beside[:, 1]
        spacing[: OTHERS // 2] = beside[:, 1] * rng.uniform(*SCALES, OTHERS // 2)
    sacral = scan.sacral_disc
    if sacral is not None:
        lengths = rng.uniform(*SACRAL_SPACINGS_MM, SACRAL)
        spacing = np.append(spacing, lengths)
        shift = rng.uniform(-SACRAL_SHIFT_MM, SACRAL_SHIFT_MM, SACRAL)
        low = np.append(low, sacral + shift - lengths)
    unknown = low + spacing > scan.known_up_to
    for lower, upper, _ in true:
        room = TOO_NEAR_SHARE * (upper - lower)
        unknown |= (np.abs(low - lower) < room) & (np.abs(low + spacing - upper) < room)
    return low[~unknown], spacing[~unknown]


def _made_harder(spine: StraightSpine, rng: np.random.Generator) -> StraightSpine:
    """Return the spine with the canal missed by millimetres, thinner bone, thicker slices, noise and cement.

    Each happens in some of the copies only. Some are cropped along the spine, some to one side of it.
    """
    from scipy import ndimage

    hu = np.roll(spine.hu, tuple(rng.integers(-2, 3, 2)), (1, 2))
    unmeasured = hu < NOT_MEASURED_BELOW_HU
    hu = np.where(unmeasured, 0, hu)
    if rng.random() < 0.5:
        hu = np.where(hu > 100, 100 + (hu - 100) * rng.uniform(0.5, 1.3), hu)
    if rng.random() < 0.5:
        hu = ndimage.gaussian_filter1d(hu, rng.uniform(0.7, 2.0), axis=0)
    if rng.random() < 0.6:
        noise = rng.normal(0, 1, hu.shape).astype(np.float32)
        hu = hu + ndimage.gaussian_filter(noise, (rng.uniform(0.4, 1.2), 0.6, 0.6)) * rng.uniform(30, 150)
    for _ in range(rng.integers(0, 3)):
        hu = _with_cement(spine, hu, rng)
    hu = np.where(unmeasured, PADDING_HU, hu).astype(np.float32)
    length = int(rng.integers(45, 110))
    if rng.random() < 0.4 and len(hu) > length + 20:
        first = int(rng.integers(0, len(hu) - length))
        hu[:first] = hu[first + length :] = PADDING_HU
    if rng.random() < 0.15:
        edge = rng.integers(-12, 12)
        hu[:, :, spine.left_mm < edge if rng.random() < 0.5 else spine.left_mm > edge] = PADDING_HU
    return replace(spine, hu=hu)


def _with_cement(spine: StraightSpine, hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the intensities with a ball of cement somewhere in the column."""
    middle = rng.integers(0, len(hu)), rng.uniform(-30, -10), rng.uniform(-10, 10)
    axes = np.arange(len(hu)), spine.back_mm, spine.left_mm
    along, back, left = ((axis - at) ** 2 for axis, at in zip(axes, middle, strict=True))
    distance = along[:, None, None] + back[None, :, None] + left
    return np.where(distance < rng.uniform(4, 9) ** 2, np.maximum(hu, 1200), hu)
