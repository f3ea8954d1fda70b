"""Pieces come apart where a neck joins them, and only there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cementct.core.arrays import BoolArray
from cementct.segmentation.cement import exclusion
from cementct.segmentation.cement.exclusion import _cement_at_necks
from cementct.segmentation.cement.necks import parts_at_necks

SHAPE = (24, 40, 60)
SPACING_MM = (1.0, 0.7, 0.7)


def ball(middle: tuple[int, int, int], radius_mm: float) -> BoolArray:
    index = np.moveaxis(np.indices(SHAPE), 0, -1)
    off_mm = (index - np.asarray(middle)) * np.asarray(SPACING_MM)
    return np.asarray(np.linalg.norm(off_mm, axis=-1) <= radius_mm)


def test_two_balls_joined_by_a_thin_bridge_are_two_parts() -> None:
    left, right = ball((12, 20, 14), 4.0), ball((12, 20, 44), 3.0)
    piece = left | right
    piece[12, 20, 14:44] = True
    parts = parts_at_necks(piece, SPACING_MM)
    assert set(np.unique(parts[left])) != set(np.unique(parts[right]))
    assert (parts[left] == parts[12, 20, 14]).mean() > 0.97
    assert (parts[right] == parts[12, 20, 44]).mean() > 0.97
    assert ((parts > 0) == piece).all()


def test_a_cord_on_a_thick_bone_is_a_part_of_its_own() -> None:
    bone = ball((12, 20, 15), 6.0)
    cord = np.zeros(SHAPE, dtype=np.bool_)
    cord[10:14, 18:23, 28:56] = True
    piece = bone | cord
    piece[12, 20, 15:30] = True
    parts = parts_at_necks(piece, SPACING_MM)
    assert parts[12, 20, 15] != parts[12, 20, 50]
    assert (parts[cord] == parts[12, 20, 50]).mean() > 0.9


def test_a_ball_a_long_cord_and_a_film_have_no_neck() -> None:
    cord, film = np.zeros(SHAPE, dtype=np.bool_), np.zeros(SHAPE, dtype=np.bool_)
    cord[10:14, 18:23, 3:57], film[12, 3:37, 3:57] = True, True
    for piece in (ball((12, 20, 30), 6.0), cord, film):
        assert not parts_at_necks(piece, SPACING_MM).any()


@pytest.mark.parametrize(("probability", "least_taken", "most_taken"), [(0.9, 0.9, 1.0), (0.6, 0.0, 0.0)])
def test_of_bone_with_a_cord_on_it_the_cord_is_cement_if_it_is_likely_by_itself(
    monkeypatch: pytest.MonkeyPatch, probability: float, least_taken: float, most_taken: float
) -> None:
    """More is asked of a part than of a piece, which 0.6 would do for."""
    bone, cord = ball((12, 20, 15), 6.0), np.zeros(SHAPE, dtype=np.bool_)
    cord[10:14, 18:23, 28:56] = True
    piece = bone | cord
    piece[12, 20, 15:30] = True

    def describe(*given: object, **_: object) -> float:
        own = given[3]
        assert isinstance(own, np.ndarray)
        return probability if np.count_nonzero(own) < np.count_nonzero(bone) else 0.1

    monkeypatch.setattr(exclusion, "describe_piece", describe)
    monkeypatch.setattr(exclusion, "is_bright", lambda _: False)
    monkeypatch.setattr(exclusion, "is_cement", lambda p: p > 0.45)
    monkeypatch.setattr(exclusion, "probability_of_cement", lambda p: p)
    scene = SimpleNamespace(spacing_mm=SPACING_MM, voxel_ml=float(np.prod(SPACING_MM)) / 1000)
    block = (slice(None), slice(None), slice(None))
    found = _cement_at_necks(scene, None, None, piece, block, compared=None)  # type: ignore[arg-type]
    assert found[bone].mean() < 0.03
    assert least_taken <= found[cord].mean() <= most_taken
