"""Learn the weights that tell vertebrae from other stretches of spine (`pattern.npz` of the embedded engine).

Usage: python -m benchmarks.vertebra_pattern DATA_FOLDER

DATA_FOLDER holds the public volumes and masks named in `scans`. Takes about a quarter of an hour on one core,
most of it for the phantoms.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from cementct.segmentation.vertebrae.embedded import pattern
from cementct.segmentation.vertebrae.embedded.pattern import PHASES

from .samples import KINDS, sample
from .scans import scans

# Of all that is learned: the few real spines count as much as the many simulated ones.
SHARES = {"real": 0.4, "masks": 0.3, "phantom": 0.3}
# Costs of large weights, and of weights that change abruptly along the vertebra.
RIDGE, ROUGHNESS, CONSTANT_RIDGE = 0.03, 0.1, 1e-6


class Moments:
    """Sums of rows and of their products, by where the scans come from."""

    def __init__(self) -> None:
        """Begin with none."""
        self._sums: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}

    def add(self, source: str, rows: list[np.ndarray]) -> None:
        """Take in rows of one source."""
        if not rows:
            return
        block = np.concatenate(rows).astype(np.float32)
        products, total = (block.T @ block).astype(np.float64), block.sum(axis=0, dtype=np.float64)
        before = self._sums.get(source, (0.0, 0.0, 0))
        self._sums[source] = before[0] + products, before[1] + total, before[2] + len(block)

    def mean(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the products and of the rows, sources weighted by `SHARES`."""
        whole = sum(SHARES[source] for source in self._sums)
        products = sum(SHARES[s] / whole / n * p for s, (p, _, n) in self._sums.items())
        totals = sum(SHARES[s] / whole / n * t for s, (_, t, n) in self._sums.items())
        return np.asarray(products), np.asarray(totals)


def main() -> None:
    """Write pattern.npz beside the module that reads it."""
    others, vertebrae = Moments(), {kind: Moments() for kind in KINDS}
    for scan in scans(Path(sys.argv[1])):
        found = sample(scan)
        others.add(scan.kind, found.others)
        for kind, rows in found.vertebrae.items():
            vertebrae[kind].add(scan.kind, rows)
        print(f"{scan.name}: {len(scan.discs)} discs", flush=True)
    solved = [_weights(vertebrae[kind], others) for kind in KINDS]
    target = Path(pattern.__file__).with_name("pattern.npz")
    np.savez_compressed(
        target,
        weights=np.stack([w[:-1].reshape(len(PHASES), -1) for w in solved]).astype(np.float32),
        constants=np.array([w[-1] for w in solved]),
    )
    print(f"wrote {target.name}")


def _weights(vertebrae: Moments, others: Moments) -> np.ndarray:
    """Return the ridge regression to 1 for vertebrae and -1 for other stretches, both counting alike."""
    products, total = vertebrae.mean()
    other_products, other_total = others.mean()
    features = (len(total) - 1) // len(PHASES)
    bend = np.diff(np.eye(len(PHASES)), 2, axis=0)
    cost = np.zeros_like(products)
    cost[:-1, :-1] = RIDGE * np.eye(len(total) - 1) + ROUGHNESS * np.kron(bend.T @ bend, np.eye(features))
    cost[-1, -1] = CONSTANT_RIDGE
    return np.linalg.solve(products + other_products + cost, total - other_total)


if __name__ == "__main__":
    main()
