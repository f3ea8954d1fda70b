"""What holds for phantoms whatever their parameters."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cementct.core.grid import Grid
from cementct.core.levels import Level
from cementct.testing.column import ColumnCoordinates, build_column, turn_matrix
from cementct.testing.site import grow
from cementct.testing.spec import CaseSpec

angles = st.floats(-20, 20)


@given(st.tuples(angles, angles, angles))
def test_turning_the_patient_keeps_lengths_and_handedness(degrees: tuple[float, float, float]) -> None:
    turn = turn_matrix(degrees)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.85, 1.12),
    st.floats(0.5, 1.5),
    st.floats(-10, 10),
    st.tuples(angles, angles, angles),
    st.sampled_from([Level.T6, Level.T12, Level.L3, Level.L5]),
)
def test_every_vertebra_lies_below_the_one_above(
    scale: float, curvature: float, scoliosis: float, rotation: tuple[float, float, float], focus: Level
) -> None:
    spec = CaseSpec(
        focus=focus, scale=scale, curvature=curvature, scoliosis_deg=scoliosis, rotation_deg=rotation
    )
    column = build_column(spec)
    for upper, lower in pairwise(column):
        step = np.asarray(lower.frame.centre_lps_mm) - np.asarray(upper.frame.centre_lps_mm)
        assert step @ np.asarray(upper.frame.superior) < 0
        assert 12 * scale < np.linalg.norm(step) < 48 * scale


@settings(max_examples=20, deadline=None)
@given(st.tuples(angles, angles, angles))
def test_a_bodys_centre_has_its_own_place_along_the_column(rotation: tuple[float, float, float]) -> None:
    column = build_column(CaseSpec(focus=Level.L2, rotation_deg=rotation))[10:16]
    for index, vertebra in enumerate(column):
        x, y, z = vertebra.frame.centre_lps_mm
        at = ColumnCoordinates.on(Grid((1, 1, 1), (1.0, 1.0, 1.0), (x, y, z)), column)
        assert float(at.place[0, 0, 0]) == pytest.approx(index, abs=1e-3)
        assert float(at.left_mm[0, 0, 0]) == pytest.approx(0.0, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.integers(0, 10_000))
def test_growing_never_takes_more_than_was_wanted_nor_what_is_forbidden(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    allowed = rng.random((10, 10, 10)) < 0.7
    field = rng.random(int(allowed.sum())).astype(np.float32)
    chosen = grow(field, allowed, min(count, field.size))
    assert chosen.sum() <= count
    assert not (chosen & ~allowed).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_random_cases_are_within_their_documented_ranges(seed: int) -> None:
    spec = CaseSpec.random(seed)
    assert 60 <= spec.marrow_hu <= 250
    assert 1 <= len(spec.treatments) <= 2
    for treatment in spec.treatments:
        assert treatment.cement is not None
        assert 900 <= treatment.cement.opacity_hu <= 5000
        assert all(0.02 <= leak.volume_ml <= 1.5 for leak in treatment.leaks)
    assert CaseSpec.random(seed) == spec
