from pathlib import Path

import numpy as np
import pytest

from cementct.core.findings import LeakType, Side
from cementct.core.grid import Grid, canonical
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level
from cementct.testing.implant import ImplantCase, implant, to_verse
from cementct.testing.realspine import measure_real_vertebrae, real_discs
from cementct.testing.spec import CementSpec, LeakSpec, LesionSpec, Treatment

LEAKS = (
    LeakSpec(LeakType.EPIDURAL, 0.15, Side.LEFT),
    LeakSpec(LeakType.DISKAL, 0.30, Side.LEFT, above=False),
    LeakSpec(LeakType.PARAVERTEBRAL, 0.25, Side.RIGHT),
)


def read(path: Path) -> tuple[np.ndarray, Grid]:
    import nibabel

    image = nibabel.load(path)
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    turned = np.eye(4)
    turned[:3, :3], turned[:3, 3] = affine[:3, [2, 1, 0]], affine[:3, 3]
    array = np.asarray(image.dataobj).transpose(2, 1, 0)
    grid, turn = canonical(Grid.from_affine(turned, array.shape))
    return np.ascontiguousarray(turn.apply(array)), grid


@pytest.fixture(scope="module")
def lumbar(real_data: Path) -> tuple[Volume, LabelMap]:
    folder = real_data / "totalsegmentator_lumbar_3mm"
    hu, grid = read(folder / "ct.nii.gz")
    labels, _ = read(folder / "vertebrae_totalsegmentator_ids.nii.gz")
    return Volume(hu.astype(np.int16), grid), LabelMap(labels.astype(np.uint8), grid)


@pytest.fixture(scope="module")
def case(lumbar: tuple[Volume, LabelMap]) -> ImplantCase:
    treatment = Treatment(Level.L3, LesionSpec(4.0), CementSpec(4.5, filling=0.75), LEAKS)
    return implant(*lumbar, (treatment,), scheme=LabelScheme.TOTALSEGMENTATOR, seed=1)


def test_a_real_spine_is_measured_in_plausible_lengths(lumbar: tuple[Volume, LabelMap]) -> None:
    measured = measure_real_vertebrae(to_verse(lumbar[1], LabelScheme.TOTALSEGMENTATOR))
    assert [v.number for v in measured] == [19, 20, 21, 22, 23, 24]
    for v in measured:
        assert 28 < v.wall_mm - v.front_mm < 45
        assert 36 < 2 * v.half_width_mm < 60
        assert 10 < v.canal_depth_mm < 26
        assert 5 < v.half_canal_mm < v.lateral_mm


def test_implanted_volumes_and_types_are_as_wanted(case: ImplantCase) -> None:
    truth = case.truth.vertebra("L3")
    assert truth.cement_volume_ml == pytest.approx(4.5 + 0.7, rel=0.03)
    assert truth.filling_rate == pytest.approx(0.75, abs=0.01)
    found = {leak.type: leak for leak in truth.leaks if leak.volume_ml > 0.02}
    assert set(found) == {leak.type for leak in LEAKS}
    for wanted in LEAKS:
        assert found[wanted.type].volume_ml == pytest.approx(wanted.volume_ml, rel=0.1)
        assert found[wanted.type].side is wanted.side


def test_the_ct_changes_only_around_the_implant(case: ImplantCase, lumbar: tuple[Volume, LabelMap]) -> None:
    changed = np.argwhere(np.abs(case.post.hu.astype(int) - lumbar[0].hu) > 300)
    spread = np.ptp(changed, axis=0) * case.post.grid.spacing_mm
    assert np.all(spread < 90)
    assert case.post.hu[case.cement.labels > 0].max() <= 3071


def test_the_earlier_scan_is_the_same_patient_moved_rigidly(case: ImplantCase) -> None:
    assert case.pre.hu.shape == case.post.hu.shape
    assert not case.pre.grid.is_close(case.post.grid)
    assert case.pre.hu[case.lesion.labels > 0].mean() < case.post.hu[case.cement.labels > 0].mean() - 1000


def test_a_level_outside_the_label_map_is_refused(lumbar: tuple[Volume, LabelMap]) -> None:
    with pytest.raises(ValueError, match="T5 is not whole"):
        implant(*lumbar, (Treatment(Level.T5),), scheme=LabelScheme.TOTALSEGMENTATOR)


def test_a_disc_is_the_gap_between_two_bodies() -> None:
    bodies = np.zeros((20, 5, 5), dtype=np.uint8)
    bodies[12:18], bodies[2:8] = 21, 22
    discs = real_discs(bodies, bodies, 1.0)
    assert discs[8:12].all()
    assert discs.sum() == 4 * 25


def test_a_ct_simulated_from_masks_shows_their_bones(lumbar: tuple[Volume, LabelMap]) -> None:
    from cementct.testing.from_masks import simulate_from_masks
    from cementct.testing.spec import Scanner

    labels = to_verse(lumbar[1], LabelScheme.TOTALSEGMENTATOR)
    two = np.where(np.isin(labels.labels, (22, 23)), labels.labels, 0).astype(np.uint8)
    labels = LabelMap(two, labels.grid)
    scanner = Scanner(1.5, 3.0, 3.0, noise_hu=8.0)
    volume, masks = simulate_from_masks(labels, scanner=scanner)
    assert volume.grid == masks.grid
    inside, outside = volume.hu[masks.labels == 22], volume.hu[masks.labels == 0]
    assert inside.mean() > outside.mean() + 150
