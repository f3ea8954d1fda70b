"""Bone above, disc, bone below: both endplates of a disc are found together, in this order."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.disc_plates import (
    LEAST_DISC_MM,
    DiscSamples,
    ExpectedPlate,
    find_plates,
)

LATTICE_MM = np.arange(-32.0, 32.1, 2.0)
UP_MM = np.arange(-11.0, 11.1, 0.5)


def samples(upper_at: list[tuple[float, float]], lower_at: list[tuple[float, float]]) -> DiscSamples:
    """Return a disc with edges (height, gain) of each kind, alike in all columns."""

    def gains(edges: list[tuple[float, float]]) -> np.ndarray:
        profile = np.zeros(UP_MM.size, dtype=np.float32)
        for height, gain in edges:
            profile = np.maximum(profile, gain * np.exp(-0.5 * ((UP_MM - height) / 0.7) ** 2))
        return np.ascontiguousarray(
            np.broadcast_to(profile, (LATTICE_MM.size, LATTICE_MM.size, UP_MM.size)), dtype=np.float32
        )

    left, back = np.meshgrid(LATTICE_MM, LATTICE_MM, indexing="ij")
    weight = np.where(np.hypot(left, back) < 16, 1.0, 1e-3)
    axes = np.eye(3)
    placement = Placement(np.zeros(3), axes[2], axes[1], axes[0])
    return DiscSamples(
        placement,
        LATTICE_MM,
        LATTICE_MM,
        UP_MM,
        gains(upper_at),
        gains(lower_at),
        weight,
        weight,
        (25.0, 25.0),
    )


def middle(surface: np.ndarray) -> float:
    """Return the height in the middle column."""
    return float(surface[16, 16])


def test_each_endplate_lies_on_its_own_edge() -> None:
    found = find_plates(samples([(2.5, 0.9)], [(-2.5, 0.9)]))
    assert middle(found.upper_mm) == pytest.approx(2.5, abs=0.3)
    assert middle(found.lower_mm) == pytest.approx(-2.5, abs=0.3)


def test_a_disc_far_from_where_it_was_guessed_is_found_by_its_two_plates() -> None:
    found = find_plates(samples([(8.0, 0.8)], [(4.0, 0.8)]))
    assert middle(found.upper_mm) == pytest.approx(8.0, abs=0.4)
    assert middle(found.lower_mm) == pytest.approx(4.0, abs=0.4)


def test_an_edge_inside_bone_without_a_partner_is_not_taken_for_the_endplate() -> None:
    found = find_plates(samples([(2.0, 0.6), (-9.0, 0.7)], [(-2.0, 0.6)]))
    assert middle(found.upper_mm) == pytest.approx(2.0, abs=0.4)


def test_a_hidden_endplate_lies_where_it_is_expected() -> None:
    flat = np.full((LATTICE_MM.size, LATTICE_MM.size), 3.0)
    found = find_plates(samples([], [(-2.0, 0.9)]), ExpectedPlate(flat, 1.6))
    assert middle(found.upper_mm) == pytest.approx(3.0, abs=0.3)
    assert found.upper_seen == 0.0


def test_endplates_never_meet() -> None:
    found = find_plates(samples([(-3.0, 0.9)], [(3.0, 0.9)]))
    assert float((found.upper_mm - found.lower_mm).min()) >= LEAST_DISC_MM - 1e-6
