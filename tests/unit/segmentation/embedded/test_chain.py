"""The chain of vertebrae: which stretches it takes, beyond the scan's ends too."""

from __future__ import annotations

import itertools

import numpy as np

from cementct.segmentation.vertebrae.embedded.chain import BEYOND_MM, SPACINGS_MM, find_best_chain
from cementct.segmentation.vertebrae.embedded.pattern import Match

LENGTH = 120
DEPTH_MM = np.full(LENGTH, 30.0)


def match(discs, *, strength=1.0) -> Match:
    """Return a match that is high for vertebrae between neighbouring discs and low for all else."""
    shape = LENGTH + 2 * BEYOND_MM, len(SPACINGS_MM)
    low = np.arange(shape[0])[:, None] - BEYOND_MM
    high = low + SPACINGS_MM
    inside = np.clip(high, 0, LENGTH) - np.clip(low, 0, LENGTH)
    seen = np.clip(inside / SPACINGS_MM, 0, 1)
    score = -0.5 * seen
    for lower, upper in itertools.pairwise(discs):
        at = lower + BEYOND_MM, upper - lower - int(SPACINGS_MM[0])
        score[at] = strength * seen[at]
    return Match(score, seen)


def test_vertebrae_one_upon_the_other_are_all_found():
    discs = (5, 33, 62, 92)
    assert find_best_chain(match(discs), DEPTH_MM).places == discs


def test_a_vertebra_that_the_scan_cuts_ends_beyond_it():
    discs = (-12, 18, 48, 78, 108, 138)
    chain = find_best_chain(match(discs), DEPTH_MM)
    assert chain.places == discs
    assert chain.seen[0] == 18 / 30
    assert chain.seen[2] == 1


def test_a_sliver_at_the_scans_edge_is_no_vertebra():
    assert find_best_chain(match((-25, 5, 35, 65)), DEPTH_MM).places == (5, 35, 65)


def test_a_collapsed_body_does_not_break_the_chain():
    discs = (5, 35, 48, 78)
    assert find_best_chain(match(discs), DEPTH_MM).places == discs


def test_what_the_user_knows_outweighs_what_is_seen():
    known = np.zeros((LENGTH, len(SPACINGS_MM)))
    known[60, 30 - SPACINGS_MM[0]] = 50.0
    chain = find_best_chain(match((15, 45, 75)), DEPTH_MM, known)
    assert {30, 60} <= set(chain.places)
    assert True in chain.known
