"""Smooth sheets fitted to scattered edges: robust against false edges, and held where there are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.core.arrays import FloatArray

FIT_ROUNDS = 6
# Edges farther than this from the sheet count less and less.
SCALE_MM = 1.2
# So many square millimetres next to each other say one thing: noise and anatomy are alike over some
# millimetres.
SHARED_EVIDENCE = 20.0
# Squared standard deviations from which on an expectation loses its hold: a fragment in the canal stands far
# behind where sound walls lie, and is followed where its edge is clear.
SURPRISE = 4.0


@dataclass(frozen=True)
class Expectation:
    """What is expected of a sheet's coefficients.

    Attributes
    ----------
    aim, spread
        Their means and standard deviations.
    """

    aim: FloatArray
    spread: FloatArray


@dataclass(frozen=True)
class Sheet:
    """A fitted sheet.

    Attributes
    ----------
    coefficients
        Of the terms that it was fitted with.
    apart_mm
        Distance of each edge from it.
    score
        How well it agrees with edges and expectation: a log-likelihood but for a constant.
    """

    coefficients: FloatArray
    apart_mm: FloatArray
    score: float


def fit_sheet(
    terms: FloatArray,
    edge_mm: FloatArray,
    strength: FloatArray,
    expected: Expectation,
    *,
    start: FloatArray | None = None,
) -> Sheet:
    """Return the sheet that agrees best with edges and expectation.

    Parameters
    ----------
    terms
        Values of each term at each column, shape (columns, terms).
    edge_mm, strength
        Place of the edge in each column; and its gain, 0 to 1, times the column's cross-section in mm².
    expected
        What holds the sheet where there are no edges.
    start
        Coefficients that decide which edges count first; None: all do.
    """
    scale = expected.spread
    scaled = terms * scale
    aim = expected.aim / scale
    firm = np.full(aim.shape, SHARED_EVIDENCE * SCALE_MM**2)
    hold, weight = firm, strength
    solution = aim
    for round_number in range(FIT_ROUNDS):
        if round_number or start is not None:
            near = start / scale if start is not None and not round_number else solution
            hold = firm / (1 + (near - aim) ** 2 / SURPRISE)
            weight = strength / (1 + ((edge_mm - scaled @ near) / SCALE_MM) ** 2) ** 2
        solution = np.linalg.solve(
            scaled.T @ (scaled * weight[:, None]) + np.diag(hold), scaled.T @ (edge_mm * weight) + hold * aim
        )
    apart = np.abs(edge_mm - scaled @ solution)
    score = float((strength / (1 + (apart / SCALE_MM) ** 2)).sum()) / SHARED_EVIDENCE
    score -= 0.5 * SURPRISE * float(np.log1p((solution - aim) ** 2 / SURPRISE).sum())
    return Sheet(solution * scale, apart, score)
