import numpy as np
import pytest

from cementct.segmentation.vertebrae.embedded.surfaces import find_surface


def _cost_of(height: np.ndarray, positions: int) -> np.ndarray:
    place = np.arange(positions)
    return (-np.exp(-0.5 * ((place - height[..., None]) / 1.2) ** 2)).astype(np.float32)


def test_a_tilted_plane_is_found_where_its_cost_is_lowest() -> None:
    rows, columns = np.meshgrid(np.arange(20), np.arange(15), indexing="ij")
    height = 10 + 0.3 * rows - 0.2 * columns
    found = find_surface(_cost_of(height, 30), step_cost=0.2, jump_cost=0.8)
    assert np.abs(found - height).max() < 0.6


def test_a_hole_in_the_evidence_is_bridged_by_its_rim() -> None:
    height = np.full((21, 21), 12.0)
    cost = _cost_of(height, 25)
    cost[8:13, 8:13] = 0
    found = find_surface(cost, step_cost=0.2, jump_cost=0.8)
    assert found[10, 10] == pytest.approx(12.0, abs=0.1)


def test_a_closed_axis_has_no_seam() -> None:
    angle = 2 * np.pi * np.arange(48) / 48
    height = 12 + 4 * np.cos(angle)[:, None] * np.ones((1, 9))
    cost = _cost_of(height, 25)
    found = find_surface(cost, step_cost=0.2, jump_cost=0.8, first_axis_closed=True)
    turned = find_surface(np.roll(cost, 20, axis=0), step_cost=0.2, jump_cost=0.8, first_axis_closed=True)
    assert np.allclose(np.roll(found, 20, axis=0), turned, atol=0.3)
