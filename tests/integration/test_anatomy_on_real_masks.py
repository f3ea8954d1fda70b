"""Anatomy from real vertebra masks, coarse and fine, in several orientations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cementct.anatomy.describe import describe_spine
from cementct.anatomy.model import Compartment, Spine
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import read_labels
from cementct.segmentation.vertebrae.label_file import labels_from_file


def describe(labels: LabelMap, scheme: LabelScheme) -> Spine:
    volume = Volume(np.zeros(labels.grid.shape, dtype=np.int16), labels.grid)
    return describe_spine(volume, labels_from_file(labels, scheme))


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


@pytest.fixture(scope="module")
def coarse(real_data: Path) -> tuple[Spine, LabelMap]:
    folder = real_data / "totalsegmentator_lumbar_3mm"
    labels = read_labels(folder / "vertebrae_totalsegmentator_ids.nii.gz")
    return describe(labels, LabelScheme.TOTALSEGMENTATOR), labels


@pytest.mark.parametrize(
    ("level", "number", "least"),
    [
        (Level.L1, 31, 0.96),
        (Level.L2, 30, 0.96),
        (Level.L3, 29, 0.96),
        (Level.L4, 28, 0.95),
        (Level.L5, 27, 0.93),
    ],
)
def test_bodies_of_a_3_mm_mask_agree_with_another_readers(real_data: Path, coarse, level, number, least):
    spine, labels = coarse
    truth = read_labels(real_data / "totalsegmentator_lumbar_3mm" / "bodies_and_discs.nii.gz")
    vertebra = next(v for v in spine.vertebrae if v.level is level)
    body = vertebra.body.in_box(labels.grid.box)
    assert dice(body, (truth.labels == 1) & (labels.labels == number)) > least


def test_an_arch_at_the_edge_of_the_scan_is_no_vertebra(coarse):
    spine, _ = coarse
    assert spine.vertebrae[0].level is Level.T12
    assert not spine.vertebrae[0].complete


def test_a_vertebra_of_another_reader_is_cut_where_they_cut_it(real_data: Path):
    folder = real_data / "tptbox_l3"
    labels = read_labels(folder / "sub-ct_seg-vert_label-22_msk.nii.gz")
    parts = read_labels(folder / "sub-ct_seg-subreg_label-22_msk.nii.gz")
    spine = describe(labels, LabelScheme.VERSE)
    assert [v.complete for v in spine.vertebrae] == [False, True, False]
    truth = np.isin(parts.labels, (49, 50)) & (labels.labels == 22)
    assert dice(spine.vertebrae[1].body.in_box(labels.grid.box), truth) > 0.96


@pytest.mark.parametrize("name", ["sub-verse004", "sub-verse010", "healthivert_0007"])
def test_a_lumbar_column_has_canal_and_foramina_at_each_level(real_data: Path, name):
    labels = read_labels(real_data / "masks_only" / f"{name}_seg-vert_msk.nii.gz")
    spine = describe(labels, LabelScheme.VERSE)
    assert spine.vertebrae[-1].level is Level.L5
    assert not spine.orientation_contradicts_anatomy
    kind, place = spine.compartments.compartment, spine.compartments.place
    voxel_ml = labels.grid.voxel_ml
    for vertebra in spine.vertebrae[:-1]:
        here = place == vertebra.position + 1
        if vertebra.complete:
            assert 1.5 < np.count_nonzero(here & (kind == Compartment.CANAL)) * voxel_ml < 20.0
            assert vertebra.left_pedicle is not None
            assert vertebra.right_pedicle is not None
        for side in (Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT):
            assert 0.1 < np.count_nonzero(here & (kind == side)) * voxel_ml < 5.0
