"""Worn vertebrae in the phantom: nodes, lips, gas in a disc, and a body that was raised."""

import numpy as np
import pytest

from cementct.core.levels import Level
from cementct.testing.column import build_column
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.raising import raised
from cementct.testing.shapes import Coordinates
from cementct.testing.spec import CaseSpec, Compression, Movement, Scanner, Wear
from cementct.testing.vertebra import VertebraShape


def _shape(wear: Wear) -> VertebraShape:
    column = build_column(CaseSpec(worn=((Level.L2, wear),)))
    return next(v.shape for v in column if v.level is Level.L2)


def _points(left: float, posterior: float, superior: float) -> Coordinates:
    return tuple(np.full(1, value, dtype=np.float32) for value in (left, posterior, superior))  # type: ignore[return-value]


def test_a_schmorl_node_lies_outside_the_body() -> None:
    sound, worn = _shape(Wear()), _shape(Wear(schmorl_above_mm=6.0))
    left, posterior = 0.1 * sound.size.width_mm, -0.05 * sound.size.depth_mm
    top = float(sound.superior_endplate_mm(*_points(left, posterior, 0)[:2])[0])
    in_node = _points(left, posterior, top - 3.0)
    assert sound.distance_to_body(in_node)[0] < 0
    assert worn.distance_to_body(in_node)[0] > 0


def test_a_lip_reaches_over_the_disc_at_the_front() -> None:
    worn = _shape(Wear(osteophyte_mm=4.0))
    front = -worn.size.upper_depth_mm / 2
    over_the_rim = _points(0.0, front - 2.0, worn.size.anterior_height_mm / 2 + 3.0)
    assert worn.distance_to_osteophytes(over_the_rim)[0] < 0
    assert worn.distance_to_body(over_the_rim)[0] > 0
    assert _shape(Wear()).distance_to_osteophytes(over_the_rim)[0] > 0


def _worn_case() -> PhantomCase:
    small = CaseSpec(
        fov_mm=(64.0, 70.0, 80.0),
        fov_centre_mm=(-16.0, 0.0, 0.0),
        worn=((Level.L2, Wear(osteophyte_mm=4.0, vacuum_disc=True)), (Level.L3, Wear(osteophyte_mm=4.0))),
        scanner=Scanner(pixel_mm=1.0, slice_spacing_mm=1.5, slice_thickness_mm=1.5, noise_hu=5.0),
    )
    return make_case(small)


def test_lips_are_vertebra_but_not_body_and_a_disc_may_hold_gas() -> None:
    case = _worn_case()
    lips = (case.vertebrae.labels > 0) & (case.bodies.labels == 0)
    bodies = np.argwhere(case.bodies.labels > 0)
    in_front = np.argwhere(lips)[:, 1] < bodies[:, 1].max() - 12
    assert in_front.sum() * case.post.grid.voxel_ml > 0.2
    gas = case.post.hu < -250
    between = np.abs(np.arange(gas.shape[1]) - bodies[:, 1].mean()) < 8
    assert gas[:, between].any()
    assert not (gas & (case.bodies.labels > 0)).any()


def test_marrow_of_a_raised_body_moves_in_proportion_and_the_arch_stays() -> None:
    spec = CaseSpec(
        compressed=((Level.L2, Compression(0.1, 0.1, 0.0)),),
        compressed_before=((Level.L2, Compression(0.4, 0.4, 0.1)),),
        stretch_raised=True,
    )
    low = next(v for v in build_column(spec, spec.movement) if v.level is Level.L2)
    high = next(v for v in build_column(spec) if v.level is Level.L2)
    top = float(low.shape.superior_endplate_mm(*_points(0.0, -5.0, 0.0)[:2])[0])
    later = float(high.shape.superior_endplate_mm(*_points(0.0, -5.0, 0.0)[:2])[0])
    assert raised(low, _points(0.0, -5.0, top))[2][0] == pytest.approx(later, abs=0.01)
    behind = low.wall_mm + 5.0
    assert raised(low, _points(0.0, behind, 2.0))[2][0] == pytest.approx(2.0)
    assert raised(high, _points(0.0, -5.0, 2.0))[2][0] == pytest.approx(2.0)


def test_a_body_may_be_lower_before_injection_than_after() -> None:
    spec = CaseSpec(
        compressed=((Level.L2, Compression(0.2, 0.2, 0.05)),),
        compressed_before=((Level.L2, Compression(0.5, 0.45, 0.2)),),
    )

    def height_mm(movement: Movement | None) -> float:
        shape = next(v.shape for v in build_column(spec, movement) if v.level is Level.L2)
        at = _points(0.0, -0.4 * shape.size.depth_mm, 0.0)[:2]
        return float(shape.superior_endplate_mm(*at)[0] - shape.inferior_endplate_mm(*at)[0])

    assert height_mm(spec.movement) < height_mm(None) - 5.0
