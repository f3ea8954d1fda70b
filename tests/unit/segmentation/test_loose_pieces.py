"""Leaks that touch no cement of their source: given to one vertebra, with others they may have come from."""

from __future__ import annotations

from cementct.metrics.volume import measure_cement
from cementct.segmentation.model import Cement, Deposit
from cementct.testing.block_spine import Shape, block, cord, join
from tests.unit.segmentation.column_of_blocks import L1, L2, blocks, cement_of, cement_of_opacities

IN_L2, IN_L1 = block((-7, -7, -8), (7, 7, 8)), block((-7, -7, 26), (7, 7, 42))
IN_BOTH = join(IN_L2, IN_L1)


def leak_of(cement: Cement) -> Deposit:
    """Return the smallest deposit."""
    return min(cement.properties, key=lambda deposit: deposit.volume_ml)


def cord_in_canal(low_mm: float, high_mm: float) -> Shape:
    return cord([(4.0, 20.0, low_mm), (4.0, 20.0, high_mm)], 3.0)


def test_a_cord_behind_a_vertebra_came_from_that_one_alone() -> None:
    leak = leak_of(cement_of(join(IN_BOTH, cord_in_canal(-6.0, 6.0))))
    assert (leak.owner, leak.rivals) == (L2, ())


def test_a_cord_between_two_treated_vertebrae_may_have_come_from_either() -> None:
    cement = cement_of(join(IN_BOTH, cord_in_canal(10.0, 22.0)))
    leak = leak_of(cement)
    assert {leak.owner, *leak.rivals} == {L1, L2}
    for number in (L1, L2):
        assert "attribution-uncertain" in {flag.flag.value for flag in cement.flags[number]}


def test_the_intervals_of_both_vertebrae_hold_their_volumes_with_and_without_such_a_leak() -> None:
    cement = cement_of(join(IN_BOTH, cord_in_canal(10.0, 22.0)))
    leak = leak_of(cement)
    measured = measure_cement(cement, blocks().spine)
    low_ml, _ = measured[leak.owner].ci90_ml
    assert low_ml <= measured[leak.owner].volume_ml - leak.volume_ml
    (rival,) = leak.rivals
    _, high_ml = measured[rival].ci90_ml
    assert high_ml >= measured[rival].volume_ml + leak.volume_ml


def test_a_long_cord_belongs_to_the_vertebra_it_lies_around() -> None:
    nearer = block((-7, -7, 26), (7, 13, 42))
    leak = leak_of(cement_of(join(IN_BOTH, nearer, cord_in_canal(-8.0, 20.0))))
    assert leak.owner == L2


def test_a_needles_track_belongs_to_the_vertebra_it_leads_into() -> None:
    # From behind and above, as high as L1 where it ends, towards the middle of L2.
    track = cord([(18.0, 32.0, 19.0), (24.0, 50.0, 29.0)], 3.0)
    leak = leak_of(cement_of(join(IN_BOTH, track)))
    assert leak.owner == L2


def thick_cord_in_canal(low_mm: float, high_mm: float) -> Shape:
    return cord([(4.0, 20.0, low_mm), (4.0, 20.0, high_mm)], 6.0)


def test_a_piece_brighter_than_a_vertebras_cement_did_not_come_from_it() -> None:
    behind_l2 = thick_cord_in_canal(-6.0, 6.0)
    leak = leak_of(cement_of_opacities((IN_L2, 1400.0), (IN_L1, 2400.0), (behind_l2, 2400.0)))
    assert leak.owner == L1


def test_a_piece_as_opaque_as_another_vertebras_cement_came_from_that_one() -> None:
    behind_l2 = thick_cord_in_canal(-2.0, 10.0)
    leak = leak_of(cement_of_opacities((IN_L2, 2800.0), (IN_L1, 1700.0), (behind_l2, 1700.0)))
    assert leak.owner == L1
    assert leak_of(cement_of_opacities((IN_BOTH, 2800.0), (behind_l2, 1700.0))).owner == L2
