"""A vertebra's frame tells its own left, back and top."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cementct.core.frame import Frame

coordinates = st.tuples(*[st.floats(-500, 500) for _ in range(3)])


def test_an_upright_vertebra_has_the_axes_of_the_patient() -> None:
    frame = Frame.from_axes((1, 2, 3), superior=(0, 0, 2), posterior=(0, 5, 1))
    assert np.allclose(frame.axes, np.eye(3))


def test_the_centre_is_the_local_origin() -> None:
    frame = Frame.from_axes((1, 2, 3), superior=(0, 0.3, 1), posterior=(0.1, 1, 0))
    assert np.allclose(frame.to_local((1, 2, 3)), 0)


@given(point=coordinates, centre=coordinates, tilt=st.floats(-0.5, 0.5), turn=st.floats(-0.5, 0.5))
def test_local_coordinates_lead_back_to_the_patient(
    point: tuple[float, float, float], centre: tuple[float, float, float], tilt: float, turn: float
) -> None:
    frame = Frame.from_axes(centre, superior=(turn, tilt, 1), posterior=(turn, 1, -tilt))
    assert np.allclose(frame.to_lps(frame.to_local(point)), point, atol=1e-6)


def test_a_left_handed_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="right-handed"):
        Frame((0, 0, 0), left=(-1, 0, 0), posterior=(0, 1, 0), superior=(0, 0, 1))
