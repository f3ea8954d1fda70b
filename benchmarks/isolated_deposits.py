"""Volumes of single deposits of exactly known size in a body of marrow, seconds for dozens of them.

The measuring step alone is looked at: where cement lies is given roughly, as the search for it would. Beside
each volume stands that of an estimator that knows the true region and its noise-free image. Run
``python -m benchmarks.isolated_deposits FIRST_SEED COUNT``; seeds under 100 were used for tuning.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.measure import measure_shares
from cementct.segmentation.cement.scene import view_scene
from cementct.testing.noise import smooth_noise
from cementct.testing.sampling import Lattices
from cementct.testing.scanner import scan_volume
from cementct.testing.spec import Kernel, Scanner

# Extent of the scanned block along z, y, x; half axes of the body; thickness of its cortex; in millimetres.
BLOCK_MM = (36.0, 46.0, 46.0)
BODY_MM = (11.0, 14.0, 15.0)
CORTEX_MM, CORTEX_HU = 0.6, 900.0
SOFT_TISSUE_HU = 50.0
# What stands out from its surroundings by this much is outlined; beside cement, by this share of its height.
STANDS_OUT_HU, STANDS_OUT_SHARE = 350.0, 0.2
HALF_WIDTH_90 = 1.645


@dataclass(frozen=True)
class Setting:
    """How one deposit looks and is scanned; `seed` draws its shape and its marrow."""

    seed: int
    scanner: Scanner
    opacity_hu: float
    volume_ml: float
    fingers_mm: float
    marrow_hu: float

    @classmethod
    def random(cls, seed: int) -> Setting:
        """Return a setting drawn from the ranges that the tool is made for."""
        rng = np.random.default_rng([seed, 5])
        slice_mm = float(rng.choice([0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0]))
        scanner = Scanner(
            pixel_mm=float(rng.uniform(0.35, 0.85)),
            slice_spacing_mm=slice_mm,
            slice_thickness_mm=slice_mm,
            kernel=list(Kernel)[int(rng.integers(3))],
            noise_hu=float(rng.uniform(8.0, 40.0)),
            clip_hu=3071 if rng.random() < 0.6 else None,
            beam_hardening=0.0,
        )
        opacity, volume = float(rng.uniform(900.0, 5000.0)), float(rng.uniform(1.5, 6.0))
        return cls(
            seed, scanner, opacity, volume, float(rng.uniform(0.0, 2.1)), float(rng.uniform(60.0, 250.0))
        )


@dataclass(frozen=True)
class Outcome:
    """True and measured volume with its standard deviation, and the estimate of one who knows the region."""

    true_ml: float
    ml: float
    sd_ml: float
    limit_ml: float
    clipped: bool


def measure_deposit(setting: Setting) -> Outcome:
    """Return what is measured of one simulated deposit."""
    lattices = Lattices.of(_grid(setting.scanner))
    bare, body, cement = _draw(setting, lattices.fine)
    filled = np.where(cement, np.float32(setting.opacity_hu), bare)
    post = scan_volume(filled, lattices, setting.scanner, seed=setting.seed)
    before = scan_volume(bare, lattices, setting.scanner, seed=setting.seed + 1).astype(np.float32)
    volume = Volume(post, lattices.scan)
    scene = view_scene(volume, lattices.scan.box)
    excess = scene.hu - before
    rise = setting.opacity_hu - setting.marrow_hu
    rough = ndimage.binary_opening(excess > max(STANDS_OUT_HU, STANDS_OUT_SHARE * min(rise, 3000.0)))
    in_bone = np.asarray(_means(body, lattices) > 0.0)
    nothing = np.zeros_like(in_bone)
    known = np.ones_like(in_bone)
    found = measure_shares(scene, rough, before, in_bone=in_bone, excluded=nothing, known=known)
    true_ml = float(np.count_nonzero(cement)) * lattices.fine.voxel_ml
    sd_ml = float(np.sqrt(sum(piece.sd_ml**2 for piece in found.pieces)))
    ml = float(found.share.sum(dtype=np.float64)) * scene.voxel_ml
    limit = true_ml * _limit(setting, lattices, filled, bare, scene.hu)
    return Outcome(true_ml, ml, sd_ml, limit, any(piece.clipped for piece in found.pieces))


def _grid(scanner: Scanner) -> Grid:
    spacing = (scanner.slice_spacing_mm, scanner.pixel_mm, scanner.pixel_mm)
    n_z, n_y, n_x = (round(extent / step) for extent, step in zip(BLOCK_MM, spacing, strict=True))
    z, y, x = (-(n - 1) / 2 * step for n, step in zip((n_z, n_y, n_x), spacing, strict=True))
    return Grid((n_z, n_y, n_x), spacing, (x, y, z))


def _draw(setting: Setting, fine: Grid) -> tuple[Float32Array, BoolArray, BoolArray]:
    """Return the body without cement in HU, where it lies, and where cement lies in it."""
    rng = np.random.default_rng([setting.seed, 6])
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(fine.shape, fine.spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*(a + rng.uniform(-0.5, 0.5) for a in axes), indexing="ij")
    radius = np.sqrt((z / BODY_MM[0]) ** 2 + (y / BODY_MM[1]) ** 2 + (x / BODY_MM[2]) ** 2)
    depth_mm = (1.0 - radius) * BODY_MM[0]
    at = (x.astype(np.float32), y.astype(np.float32), z.astype(np.float32))
    texture = smooth_noise(at, seed=(setting.seed, 1), scale_mm=1.0)
    bare = np.where(depth_mm > 0, setting.marrow_hu + 40.0 * texture, SOFT_TISSUE_HU)
    bare = np.where((depth_mm > 0) & (depth_mm < CORTEX_MM), CORTEX_HU, bare).astype(np.float32)
    reached = np.sqrt(x**2 + y**2 + (1.15 * z) ** 2)
    reached += setting.fingers_mm * smooth_noise(at, seed=(setting.seed, 2), scale_mm=1.8)
    reached[depth_mm < 1.0] = np.inf
    wanted = round(setting.volume_ml / fine.voxel_ml)
    cement = reached < np.partition(reached.ravel(), wanted)[wanted]
    return bare, np.asarray(depth_mm > 0), np.asarray(cement)


def _means(mask: BoolArray, lattices: Lattices) -> Float32Array:
    """Return the share of each scan voxel that a mask on the fine lattice fills."""
    z, y, x = lattices.factors
    n_z, n_y, n_x = lattices.scan.shape
    return np.asarray(mask.reshape(n_z, z, n_y, y, n_x, x).mean(axis=(1, 3, 5)), dtype=np.float32)


def _limit(
    setting: Setting, lattices: Lattices, filled: Float32Array, bare: Float32Array, seen: Float32Array
) -> float:
    """Return the estimate, over the truth, of one who knows everything but how much cement there is."""
    quiet = replace(setting.scanner, noise_hu=0.0)
    without = scan_volume(bare, lattices, quiet, seed=0).astype(np.float64)
    signal = scan_volume(filled, lattices, quiet, seed=0) - without
    return float((signal * (seen - without)).sum() / (signal**2).sum())


def main() -> None:
    """Print one line a deposit, and a summary."""
    first, count = int(sys.argv[1]), int(sys.argv[2])
    outcomes = []
    for seed in range(first, first + count):
        setting = Setting.random(seed)
        outcome = measure_deposit(setting)
        outcomes.append(outcome)
        error, limit = (100 * (v / outcome.true_ml - 1) for v in (outcome.ml, outcome.limit_ml))
        print(
            f"{seed} {setting.scanner.slice_spacing_mm} mm, {setting.scanner.kernel}, "
            f"{setting.opacity_hu:.0f} HU{', clipped' if outcome.clipped else ''}: "
            f"{outcome.true_ml:.3f} ml, {error:+.1f} % (limit {limit:+.2f} %)"
        )
    for clipped in (False, True):
        chosen = [o for o in outcomes if o.clipped == clipped]
        if chosen:
            errors = np.array([abs(o.ml / o.true_ml - 1) for o in chosen])
            held = np.mean([abs(o.ml - o.true_ml) <= HALF_WIDTH_90 * o.sd_ml for o in chosen])
            print(
                f"{'clipped' if clipped else 'not clipped'}: {len(chosen)}, median error "
                f"{100 * np.median(errors):.2f} %, 95th percentile {100 * np.percentile(errors, 95):.2f} %, "
                f"90 % intervals that hold the truth {held:.2f}"
            )


if __name__ == "__main__":
    main()
