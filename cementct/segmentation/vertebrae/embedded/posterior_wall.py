"""The posterior wall of a body: where bone gives way to the canal, as one smooth sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, edge_gain
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra

HALF_WIDTH_MM = 8.0
# The sheet is fitted between the medial borders of the pedicles, at least 16 mm apart at every level.
SEARCH_MM = (-17.0, -1.0)
# Back coordinate from the canal's middle in which the wall is looked for.
ENDS_SHARE = 0.40
# It is fitted over this share of the spacing above and below the middle: the rest is disc.
DRAWN_IN_MM = 0.3
# Steepest descent lies this far outside the half height of a thin cortex, measured on phantoms.
FIT_SCALE_MM = 1.2
# Edges farther than this from the sheet count less and less.
FIT_ROUNDS = 6


@dataclass(frozen=True)
class PosteriorWall:
    """A sheet, back = a + b·left + c·left² + d·up + e·up².

    Attributes
    ----------
    coefficients
        a to e.
    support
        Share of the searched columns whose edge lies on the sheet.
    reach_mm
        The sheet goes on straight beyond this distance left and right, and above and below.
    """

    coefficients: FloatArray
    support: float
    reach_mm: tuple[float, float]

    def at(self, left_mm: FloatArray, up_mm: FloatArray) -> FloatArray:
        """Return the back coordinate of the wall."""
        left = np.clip(left_mm, -self.reach_mm[0], self.reach_mm[0])
        up = np.clip(up_mm, -self.reach_mm[1], self.reach_mm[1])
        a, b, c, d, e = self.coefficients
        return np.asarray(a + b * left_mm + c * left**2 + d * up_mm + e * up**2)


def find_posterior_wall(edges: BlockEdges, placed: PlacedVertebra) -> PosteriorWall:
    """Return the wall between a body and the canal."""
    block = edges.block
    columns = np.abs(block.left_mm) <= HALF_WIDTH_MM
    levels = np.abs(block.up_mm) <= ENDS_SHARE * placed.spacing_mm
    rows = (block.back_mm >= placed.canal_back_mm + SEARCH_MM[0]) & (
        block.back_mm <= placed.canal_back_mm + SEARCH_MM[1]
    )
    gain = edge_gain(-np.gradient(edges.smoothed, axis=1) * 2)
    gain = np.where(edges.dense, np.float32(0), gain)[columns][:, rows][:, :, levels]
    back = block.back_mm[rows]
    first = _straight_line(gain, back)
    left, up = np.meshgrid(block.left_mm[columns], block.up_mm[levels], indexing="ij")
    near = gain * np.exp(-0.5 * ((back[None, :, None] - first[None, None]) / 3.0) ** 2)
    best = near.argmax(axis=1)
    edge = _refined(near, best, back)
    strength = np.take_along_axis(near, best[:, None], axis=1)[:, 0]
    coefficients, support = _fit(left, up, edge, strength, float(np.median(first)))
    coefficients[0] -= DRAWN_IN_MM
    return PosteriorWall(coefficients, support, (HALF_WIDTH_MM + 3, ENDS_SHARE * placed.spacing_mm))


def _straight_line(gain: Float32Array, back: FloatArray) -> FloatArray:
    """Return for each level the back coordinate on the straight sagittal line with the most edge."""
    profile = gain.mean(axis=0)
    levels = profile.shape[1]
    up = np.linspace(-1, 1, levels)
    best, line = -1.0, np.full(levels, back[len(back) // 2])
    for middle in back:
        for lean in np.arange(-5.0, 5.1, 1.0):
            at = middle + lean * up
            row = np.clip(np.round(at - back[0]).astype(int), 0, len(back) - 1)
            score = float(profile[row, np.arange(levels)].mean()) - 0.004 * abs(lean)
            if score > best:
                best, line = score, at
    return np.asarray(line)


def _refined(near: Float32Array, best: np.ndarray, back: FloatArray) -> FloatArray:
    inner = np.clip(best, 1, near.shape[1] - 2)[:, None]
    below, at, above = (np.take_along_axis(near, inner + d, axis=1)[:, 0] for d in (-1, 0, 1))
    curve = below - 2 * at + above
    shift = np.where(curve < -1e-6, 0.5 * (below - above) / np.minimum(curve, -1e-6), 0.0)
    return np.asarray(back[inner[:, 0]] + np.clip(shift, -0.5, 0.5))


def _fit(
    left: FloatArray, up: FloatArray, edge: FloatArray, strength: Float32Array, start: float
) -> tuple[FloatArray, float]:
    """Return the robust sheet through the edges, and the share of columns that lie on it."""
    terms = np.stack(
        [np.ones(left.size), left.ravel(), left.ravel() ** 2, up.ravel(), up.ravel() ** 2], axis=1
    )
    scale = np.array([1.0, 8.0, 64.0, 12.0, 144.0])
    ridge = np.diag([0.02, 1.0, 2.0, 0.5, 2.0]) * 0.02 * max(float(strength.sum()), 1e-3)
    target = edge.ravel() - start
    weight = strength.ravel().astype(np.float64)
    solution = np.zeros(5)
    for round_number in range(FIT_ROUNDS):
        if round_number:
            rest = np.abs(target - (terms / scale) @ solution)
            weight = strength.ravel() / (1 + (rest / FIT_SCALE_MM) ** 2) ** 2
        scaled = terms / scale
        solution = np.linalg.solve(
            scaled.T @ (scaled * weight[:, None]) + ridge + 1e-9 * np.eye(5), scaled.T @ (target * weight)
        )
    on_sheet = (np.abs(target - (terms / scale) @ solution) < 1.5) & (strength.ravel() > 0.2)
    coefficients = solution / scale
    coefficients[0] += start
    return coefficients, float(on_sheet.mean())
