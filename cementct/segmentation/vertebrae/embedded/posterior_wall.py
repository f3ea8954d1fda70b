"""The posterior wall of a body: where bone gives way to the canal, as one smooth sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.edges import BlockEdges, edge_gain
from cementct.segmentation.vertebrae.embedded.place import PlacedVertebra
from cementct.segmentation.vertebrae.embedded.sheets import Expectation, Sheet, fit_sheet

# The sheet is fitted between the medial borders of the pedicles, at least 16 mm apart at every level.
HALF_WIDTH_MM = 8.0
# Back coordinate from the canal's middle in which the wall is looked for.
SEARCH_MM = (-17.0, -1.0)
# It is fitted over this share of the spacing above and below the middle: the rest is disc.
ENDS_SHARE = 0.40
# The same about where neighbours let expect it: a fragment in the canal stands back by less.
EXPECTED_REACH_MM = 9.0
# Steepest descent lies this far outside the half height of a thin cortex, and farther by this share of the
# distance of pixels, which blurs it: measured on phantoms.
DRAWN_IN_MM = 0.4
DRAWN_IN_PER_PIXEL = 0.25
# Spread of the sheet's coefficients where nothing is known of the vertebra: mm, mm per mm, mm per mm².
UNKNOWN_SPREAD = np.array([7.0, 0.12, 0.011, 0.12, 0.005])


# An edge so near the sheet and of such a gain is the wall's own.
ON_SHEET_MM = 1.5
CLEAR_GAIN = 0.2


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


@dataclass(frozen=True)
class _Columns:
    """The searched columns: gain over (left, back, up), and their coordinates."""

    gain: Float32Array
    left: FloatArray
    back: FloatArray
    up: FloatArray


def find_posterior_wall(
    edges: BlockEdges, placed: PlacedVertebra, expected: Expectation | None = None
) -> PosteriorWall:
    """Return the wall between a body and the canal.

    Parameters
    ----------
    edges
        Of the vertebra's block.
    placed
        First guess of the vertebra.
    expected
        What the neighbours let expect, where the vertebra's own wall is destroyed or hidden. The own edges
        are followed as far as they are clearer than that is certain.
    """
    columns = _columns(edges, placed, expected)
    drawn_in = DRAWN_IN_MM + DRAWN_IN_PER_PIXEL * float(edges.block.spacing_mm[1])
    line = _straight_line(columns.gain, columns.back)
    if expected is None:
        sheet, support = _fit_from(columns, line, Expectation(_flat(float(np.median(line))), UNKNOWN_SPREAD))
    else:
        a, _, _, d, e = expected.aim
        usual = a + d * columns.up + e * columns.up**2
        outside = Expectation(expected.aim + _flat(drawn_in), expected.spread)
        fits = [_fit_from(columns, start, outside) for start in (line, usual + drawn_in)]
        sheet, support = max(fits, key=lambda fit: fit[0].score)
    coefficients = sheet.coefficients - _flat(drawn_in)
    return PosteriorWall(coefficients, support, (HALF_WIDTH_MM + 3, ENDS_SHARE * placed.spacing_mm))


def _flat(back_mm: float) -> FloatArray:
    return np.array([back_mm, 0.0, 0.0, 0.0, 0.0])


def _columns(edges: BlockEdges, placed: PlacedVertebra, expected: Expectation | None) -> _Columns:
    block = edges.block
    aside = np.abs(block.left_mm) <= HALF_WIDTH_MM
    levels = np.abs(block.up_mm) <= ENDS_SHARE * placed.spacing_mm
    if expected is None:
        first, last = placed.canal_back_mm + SEARCH_MM[0], placed.canal_back_mm + SEARCH_MM[1]
    else:
        first, last = expected.aim[0] - EXPECTED_REACH_MM, expected.aim[0] + EXPECTED_REACH_MM
    rows = (block.back_mm >= first) & (block.back_mm <= last)
    gain = edge_gain(-np.gradient(edges.smoothed, axis=1) * 2)
    gain = np.where(edges.hidden, np.float32(0), gain)[aside][:, rows][:, :, levels]
    return _Columns(gain, block.left_mm[aside], block.back_mm[rows], block.up_mm[levels])


def _fit_from(columns: _Columns, start: FloatArray, expected: Expectation) -> tuple[Sheet, float]:
    """Return the sheet found from a line in the midsagittal plane, and the share of columns on it."""
    near = columns.gain * np.exp(-0.5 * ((columns.back[None, :, None] - start[None, None]) / 3.0) ** 2)
    best = near.argmax(axis=1)
    edge = _refined(near, best, columns.back)
    strength = np.take_along_axis(near, best[:, None], axis=1)[:, 0]
    left, up = (a.ravel() for a in np.meshgrid(columns.left, columns.up, indexing="ij"))
    terms = np.stack([np.ones(left.size), left, left**2, up, up**2], axis=1)
    sheet = fit_sheet(terms, edge.ravel(), strength.ravel().astype(np.float64), expected)
    on_sheet = (sheet.apart_mm < ON_SHEET_MM) & (strength.ravel() > CLEAR_GAIN)
    return sheet, float(on_sheet.mean())


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
