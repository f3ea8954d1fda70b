"""Found vertebrae are matched with true ones by what their bodies share."""

from __future__ import annotations

import numpy as np

from benchmarks.anatomy.matching import match_vertebrae
from cementct.anatomy.model import HeightField, Vertebra
from cementct.core.findings import LevelSource
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Region

GRID = Grid((60, 10, 10), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
# From the top: L3 that the scan cuts, L4, L5, S1 (no body of which is known).
PLACES = {22: (52, 60), 23: (36, 48), 24: (20, 32)}
EVERYWHERE = np.ones(GRID.shape, dtype=np.bool_)
FLAT = HeightField(np.arange(2.0), np.arange(2.0), np.zeros((2, 2)))


def labels(places: dict[int, tuple[int, int]]) -> LabelMap:
    out = np.zeros(GRID.shape, dtype=np.uint8)
    for number, (low, high) in places.items():
        out[low:high] = number
    return LabelMap(out, GRID)


def found(*places: tuple[int, int]) -> list[Vertebra]:
    out = []
    for position, (low, high) in enumerate(places):
        mask = np.zeros(GRID.shape, dtype=np.bool_)
        mask[low:high] = True
        region = Region.of(mask)
        frame = Frame((5.0, 5.0, (low + high) / 2), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
        out.append(
            Vertebra(
                position=position, number=101 + position, level=None, level_source=LevelSource.UNKNOWN,
                frame=frame, body=region, whole=region, superior_endplate=FLAT, inferior_endplate=FLAT,
                posterior_wall=FLAT, left_pedicle=None, right_pedicle=None, width_mm=10.0, depth_mm=10.0,
                height_mm=12.0, complete=True, wall_rebuilt=False, confidence=0.9,
            )
        )  # fmt: skip
    return out


def test_every_whole_vertebra_is_found_and_cut_ones_do_not_count() -> None:
    everything = labels(PLACES | {26: (4, 16)})
    places = found((52, 60), (37, 48), (20, 31))
    matches = match_vertebrae(places, everything, labels(PLACES), EVERYWHERE)
    assert matches.whole == (23, 24)
    assert not matches.missed
    assert matches.invented == matches.doubled == 0
    assert matches.in_order


def test_a_vertebra_that_was_passed_over_is_missed() -> None:
    matches = match_vertebrae(found((20, 32)), labels(PLACES), labels(PLACES), EVERYWHERE)
    assert matches.missed == (23,)


def test_a_body_across_a_disc_is_no_vertebra() -> None:
    matches = match_vertebrae(found((29, 39)), labels(PLACES), labels(PLACES), EVERYWHERE)
    assert matches.missed == (23, 24)
    assert matches.invented == 1


def test_two_in_one_body_are_one_too_many() -> None:
    matches = match_vertebrae(found((42, 48), (36, 42), (20, 32)), labels(PLACES), labels(PLACES), EVERYWHERE)
    assert not matches.missed
    assert matches.doubled == 1


def test_s1_counts_neither_way_and_what_lies_below_it_is_invented() -> None:
    everything = labels(PLACES | {26: (8, 16)})
    assert match_vertebrae(found((8, 16)), everything, labels(PLACES), EVERYWHERE).invented == 0
    assert match_vertebrae(found((1, 7)), everything, labels(PLACES), EVERYWHERE).invented == 1


def test_vertebrae_out_of_order_are_noticed() -> None:
    matches = match_vertebrae(found((20, 32), (36, 48)), labels(PLACES), labels(PLACES), EVERYWHERE)
    assert not matches.in_order


def test_a_vertebra_that_reaches_what_was_not_measured_is_cut() -> None:
    measured = EVERYWHERE.copy()
    measured[48:50, :, :4] = False
    matches = match_vertebrae(found((20, 32)), labels(PLACES), labels(PLACES), measured)
    assert matches.whole == (24,)
