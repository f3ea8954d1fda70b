"""What an engine's canal and neighbouring levels say about canal and pedicles."""

from __future__ import annotations

import pytest

from cementct.anatomy.canal import CanalSection, agreed_canal
from cementct.anatomy.model import Pedicle
from cementct.anatomy.pedicles import agreed_pedicles


def section(left_mm: float = 0.0, half_width_mm: float = 10.0) -> CanalSection:
    return CanalSection(left_mm, 22.0, left_mm - half_width_mm, left_mm + half_width_mm, 8.0, -2.0)


def pair(lateral_mm: float = 18.0, superior_mm: float = 9.0) -> tuple[Pedicle, Pedicle]:
    left = Pedicle(medial_mm=10.0, lateral_mm=lateral_mm, superior_mm=superior_mm, inferior_mm=-4.0)
    right = Pedicle(medial_mm=-10.0, lateral_mm=-18.0, superior_mm=9.0, inferior_mm=-4.0)
    return left, right


def test_a_ring_around_the_canal_that_the_scan_shows_is_kept() -> None:
    ring = section(left_mm=1.0)
    assert agreed_canal(ring, section()) is ring


def test_a_hole_beside_the_canal_is_not_taken_for_it() -> None:
    tube = section()
    assert agreed_canal(section(left_mm=9.0), tube) is tube


def test_without_a_canal_from_the_scan_the_ring_stands_alone() -> None:
    ring = section()
    assert agreed_canal(ring, None) is ring
    assert agreed_canal(None, None) is None


def test_a_rib_that_sticks_to_a_pedicle_does_not_widen_it() -> None:
    pairs = [pair(), pair(lateral_mm=27.0), pair()]
    assert agreed_pedicles(pairs)[1][0].lateral_mm == pytest.approx(18.0)


def test_pedicles_that_agree_stay_as_they_were_measured() -> None:
    pairs = [pair(), pair(lateral_mm=19.5, superior_mm=8.0), pair()]
    assert agreed_pedicles(pairs)[1] == pairs[1]


def test_a_pedicle_that_was_not_seen_stays_unknown() -> None:
    left, _ = pair()
    pairs = [pair(), (left, None), pair()]
    assert agreed_pedicles(pairs)[1][1] is None
