"""A vertebra flattened to a plate is told from the neighbour that the chain took it together with."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.chain import Chain
from cementct.segmentation.vertebrae.embedded.collapsed import with_collapsed

DEPTH_MM = np.full(140, 29.0)


def chain(*places: int, known: int | None = None, cut: int | None = None) -> Chain:
    count = len(places) - 1
    return Chain(
        places=places,
        matches=(1.0,) * count,
        seen=tuple(0.5 if n == cut else 1.0 for n in range(count)),
        known=tuple(n == known for n in range(count)),
        score=float(count),
    )


def discs(*places: int, evidence: float = 0.7) -> FloatArray:
    """Return evidence for discs at some steps, and faint evidence between them."""
    found = np.full(140, 0.2)
    found[list(places)] = evidence
    return found


@pytest.mark.parametrize("between", [53, 70])
def test_a_sound_and_a_collapsed_vertebra_are_parted_whichever_lies_above(between: int) -> None:
    found = with_collapsed(chain(10, 40, 83, 115), discs(10, 40, between, 83, 115), DEPTH_MM)
    assert found.places == (10, 40, between, 83, 115)
    assert len(found.matches) == len(found.seen) == len(found.known) == 4
    assert found.score == 3.0


def test_the_collapsed_one_matches_as_clearly_as_its_discs_are_seen() -> None:
    found = with_collapsed(chain(10, 40, 83, 115), discs(10, 40, 53, 83, 115, evidence=0.8), DEPTH_MM)
    assert found.matches == pytest.approx((1.0, 0.8, 1.0, 1.0))


@pytest.mark.parametrize(
    ("places", "seen_discs", "why"),
    [
        ((10, 40, 83, 115), (10, 40, 83, 115), "no disc is seen between"),
        ((10, 40, 83, 115), (10, 40, 61, 83, 115), "neither half is as long as a vertebra"),
        ((10, 40, 71, 103), (10, 40, 50, 71, 103), "it is no longer than its neighbours"),
        ((10, 53, 96, 139), (10, 53, 66, 96, 139), "all vertebrae are long"),
    ],
)
def test_others_stay_one(places: tuple[int, ...], seen_discs: tuple[int, ...], why: str) -> None:
    before = chain(*places)
    depth_mm = np.full(140, 40.0) if places[1] == 53 else DEPTH_MM
    assert with_collapsed(before, discs(*seen_discs), depth_mm) == before, why


def test_what_the_user_gave_and_what_the_scan_cuts_stay_one() -> None:
    evidence = discs(10, 40, 53, 83, 115)
    for before in (chain(10, 40, 83, 115, known=1), chain(10, 40, 83, 115, cut=1)):
        assert with_collapsed(before, evidence, DEPTH_MM) == before
