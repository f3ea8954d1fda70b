from dataclasses import replace

import numpy as np
import pytest

from cementct.core.findings import FillingCategory, LeakType, Side
from cementct.core.levels import Level
from cementct.testing.column import build_column, levels_of
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import CaseSpec, CementSpec, LesionSpec, Movement, Treatment
from cementct.testing.truth import category_of


def test_every_leak_has_its_type_side_and_volume(small_case: PhantomCase) -> None:
    truth = small_case.truth.vertebra("L2")
    found = {leak.type: leak for leak in truth.leaks if leak.volume_ml > 0.01}
    assert set(found) == set(LeakType)
    for wanted in small_case.spec.treatments[0].leaks:
        assert found[wanted.type].volume_ml == pytest.approx(wanted.volume_ml, rel=0.06)
        assert found[wanted.type].side is wanted.side
    assert found[LeakType.DISKAL].between == ("L1", "L2")


def test_cement_adds_up_from_bone_and_leaks(small_case: PhantomCase) -> None:
    truth = small_case.truth.vertebra("L2")
    assert truth.cement_volume_ml is not None
    leaked = sum(leak.volume_ml for leak in truth.leaks)
    assert truth.cement_volume_ml == pytest.approx(4.5 + leaked, rel=0.01)
    assert truth.filling_rate == pytest.approx(0.8, abs=0.005)
    assert truth.filling_category is FillingCategory.FROM_75
    voxel_ml = small_case.post.grid.voxel_ml
    assert float(small_case.cement_share.sum()) * voxel_ml == pytest.approx(truth.cement_volume_ml, rel=1e-3)


def test_cement_touching_no_bone_lies_outside_all_vertebrae(small_case: PhantomCase) -> None:
    leaked = small_case.leaks.labels > 0
    assert not (leaked & (small_case.bodies.labels > 0)).sum() > 0.02 * leaked.sum()


def test_an_epidural_leak_lies_in_the_canal(small_case: PhantomCase) -> None:
    epidural = small_case.leaks.labels == LeakType.EPIDURAL.number
    assert (epidural & small_case.canal.voxels).sum() > 0.7 * epidural.sum()


def test_distances_are_zero_where_cement_has_leaked(small_case: PhantomCase) -> None:
    truth = small_case.truth.vertebra("L2")
    assert truth.posterior_wall_distance_mm == 0.0
    assert truth.right_foramen_distance_mm == 0.0
    assert truth.left_foramen_distance_mm is not None


def test_what_is_bright_in_the_scan_is_where_truth_says(small_case: PhantomCase) -> None:
    cement = small_case.cement_share > 0.99
    assert small_case.post.hu[cement].mean() > 1900
    marrow = (small_case.bodies.labels > 0) & (small_case.cement_share == 0)
    assert 50 < np.median(small_case.post.hu[marrow]) < 350


def test_the_same_spec_gives_the_same_case_byte_by_byte(
    small_spec: CaseSpec, small_case: PhantomCase
) -> None:
    again = make_case(small_spec)
    assert again.post.hu.tobytes() == small_case.post.hu.tobytes()
    assert again.truth.to_json() == small_case.truth.to_json()


def test_the_summed_excess_over_the_background_gives_the_cement_volume(small_spec: CaseSpec) -> None:
    quiet = replace(small_spec.scanner, noise_hu=0.0, beam_hardening=0.0)
    lesion = LesionSpec(5.0)
    cement = CementSpec(3.0, filling=0.6, opacity_hu=2000.0)
    spec = replace(small_spec, scanner=quiet, treatments=(Treatment(Level.L2, lesion, cement),))
    without = replace(spec, treatments=(Treatment(Level.L2, lesion, None),))
    filled, empty = make_case(spec), make_case(without)
    excess = filled.post.hu.astype(float) - empty.post.hu
    volume = float(excess.sum()) / (2000.0 - 50.0) * filled.post.grid.voxel_ml
    assert volume == pytest.approx(filled.truth.vertebra("L2").cement_volume_ml, rel=0.015)


def test_between_two_scans_every_vertebra_moves_rigidly_and_little() -> None:
    spec = CaseSpec(focus=Level.L1)
    before, after = (
        build_column(spec, Movement(1.5, -1.0, (2.0, 1.0, -2.0), (4.0, 3.0, -5.0))),
        build_column(spec),
    )
    for old, new in zip(before[10:14], after[10:14], strict=True):
        turn = new.frame.axes.T @ old.frame.axes
        angle = np.rad2deg(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        assert 0.5 < angle < 8.0
        assert old.shape == new.shape


def test_variants_have_the_wanted_vertebrae() -> None:
    six = levels_of(CaseSpec(lumbar_count=6))
    assert six[-2:] == [Level.L6, Level.S1]
    assert Level.T13 in levels_of(CaseSpec(last_rib_level=Level.T13))
    assert Level.T12 not in levels_of(CaseSpec(last_rib_level=Level.T11))


def test_a_lesion_too_large_for_its_vertebra_is_refused() -> None:
    spec = CaseSpec(focus=Level.T4, treatments=(Treatment(Level.T4, LesionSpec(30.0), None),))
    with pytest.raises(ValueError, match="do not fit into T4"):
        make_case(spec)


@pytest.mark.parametrize(
    ("rate", "category"),
    [(0.0, "<50%"), (0.4999, "<50%"), (0.5, "50-75%"), (0.75, "75-90%"), (0.9, "~100%"), (1.0, "~100%")],
)
def test_the_lower_bound_belongs_to_the_category(rate: float, category: str) -> None:
    assert category_of(rate).value == category


def test_sides_are_the_patients(small_case: PhantomCase) -> None:
    for leak in small_case.truth.vertebra("L2").leaks:
        if leak.side is Side.LEFT:
            assert leak.centroid_lps_mm[0] > 0
