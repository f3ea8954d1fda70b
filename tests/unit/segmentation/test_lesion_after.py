"""What is known of a lesion from the scan after injection alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.grid import Grid
from cementct.metrics.filling import measure_filling
from cementct.segmentation.lesion.after import HIDDEN_REST, out_of_sight, told_apart
from cementct.segmentation.lesion.completion import continue_border
from cementct.segmentation.lesion.glow import look_beside_cement
from cementct.segmentation.lesion.lytic import LyticPart
from cementct.segmentation.lesion.marrow import NormalMarrow
from cementct.segmentation.lesion.segment import prepare_bone, segment_lesion
from cementct.segmentation.lesion.tissue import measure_tissue
from tests.unit.segmentation.test_lesion import ball, cement_of, dice_with

CEMENT_HU = 3000.0


def with_cement(made, shape, *, offset_hu=0.0):
    """Return the scan after injection, blurred as scanners do, and its cement."""
    cement = cement_of(made, shape)
    sigma = [0.5 / s for s in made.volume.grid.spacing_mm]
    share = ndimage.gaussian_filter(cement.region.astype(np.float32), sigma)
    hu = made.volume.hu * (1 - share) + CEMENT_HU * share + offset_hu
    return replace(made.volume, hu=np.round(hu).astype(np.int16)), cement


def test_a_balls_border_goes_on_round_through_cement_that_left_it():
    grid = Grid((50, 50, 50), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    z, y, x = np.indices(grid.shape) - 24.5
    truth = x**2 + y**2 + z**2 < 12.0**2
    hidden = (x - 9) ** 2 + y**2 + z**2 < 9.0**2
    seen = np.where(hidden, 0, truth).astype(np.float32)
    inside = continue_border(
        seen,
        weight=(~hidden).astype(np.float32),
        hidden=hidden,
        within=np.ones(grid.shape, dtype=np.bool_),
        grid=grid,
    )
    found, true = (inside > 0.5) & hidden, truth & hidden
    assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.9


def test_cements_glow_is_taken_out_and_what_it_hides_is_not_believed(build_spine):
    made = build_spine(noise_hu=1.0, spacing_mm=(1.0, 0.6, 0.6))
    post, cement = with_cement(made, ball((0.0, -2.0, 0.0), 6.0))
    vertebra = made.spine.vertebrae[0]
    plain, bone = prepare_bone(made.volume, vertebra), prepare_bone(post, vertebra)
    beside = look_beside_cement(bone, cement.fraction[bone.box.slices], CEMENT_HU)
    added, left = np.abs(bone.hu - plain.hu), np.abs(beside.bone.hu - plain.hu)
    touched = bone.outline & ~beside.hidden & (added > 5)
    assert touched.any()
    assert float(np.mean(left[touched])) < 0.5 * float(np.mean(added[touched]))
    assert float(np.max(left[beside.read])) < 20
    assert not beside.trust[cement.fraction[bone.box.slices] > 0.5].any()


@pytest.mark.parametrize("offset_hu", [-20.0, 0.0, 40.0])
def test_tumour_and_marrow_are_told_apart_where_beams_hardened_by_cement_shift_both(offset_hu):
    rng = np.random.default_rng(1)
    marrow, tumour = rng.normal(130, 18, 3000), rng.normal(50, 18, 900)
    values = np.concatenate([marrow, tumour]) + offset_hu
    tissue = measure_tissue(values, NormalMarrow(130.0, 18.0, measured=True))
    assert tissue.tumour_hu == pytest.approx(50 + offset_hu, abs=12)
    assert tissue.marrow_hu == pytest.approx(130 + offset_hu, abs=12)


def test_sound_marrow_alone_is_not_taken_for_bright_tumour():
    values = np.random.default_rng(2).normal(125, 18, 4000)
    tissue = measure_tissue(values, NormalMarrow(124.0, 18.0, measured=True))
    assert tissue.marrow_hu == pytest.approx(125, abs=12)


def test_cement_that_left_the_lesion_for_sound_marrow_is_no_lesion(build_spine):
    lesion_shape = ball((-6.0, -1.0, 0.0), 8.5)
    made = build_spine(lesion=lesion_shape)

    def injected(x, y, z):
        return ball((0.0, -1.0, 0.0), 7.0)(x, y, z)

    post, cement = with_cement(made, injected)
    lesion = segment_lesion(post, made.spine, made.spine.vertebrae[0], cement=cement)
    assert dice_with(lesion, made, lesion_shape) > 0.8
    found = np.zeros(made.volume.grid.shape, dtype=np.float32)
    found[lesion.box.slices] = lesion.fraction
    outside = cement.region & ~lesion_shape(*made.local)
    assert float(found[outside].mean()) < 0.5


def test_the_rest_is_found_where_the_whole_vertebra_is_brightened(build_spine):
    lesion_shape, cement_shape = ball((0.0, -2.0, 0.0), 9.0), ball((-3.0, -2.0, 0.0), 5.0)
    made = build_spine(lesion=lesion_shape)
    post, cement = with_cement(made, cement_shape, offset_hu=40.0)
    lower = made.spine.vertebrae[1].whole
    hu = post.hu.copy()
    hu[lower.box.slices][lower.voxels] -= 40
    lesion = segment_lesion(replace(post, hu=hu), made.spine, made.spine.vertebrae[0], cement=cement)
    assert dice_with(lesion, made, lesion_shape) > 0.8


def test_soft_tissue_in_an_outline_drawn_too_wide_does_not_tell_what_cement_beside_it_hides(build_spine):
    made = build_spine()
    post, cement = with_cement(made, ball((0.0, -9.0, 0.0), 8.0))
    bone = prepare_bone(post, made.spine.vertebrae[0])
    beside = look_beside_cement(bone, cement.fraction[bone.box.slices], CEMENT_HU)
    rim = bone.outline & ~bone.interior
    hidden = beside.hidden & bone.outline & ~beside.cement
    assert (rim & ~beside.hidden).any()
    dark_rim = LyticPart(rim.astype(np.float32), tumour_hu=50.0, marrow_hu=150.0)
    dark_inside = LyticPart(bone.interior.astype(np.float32), tumour_hu=50.0, marrow_hu=150.0)
    by_rim, by_inside = (out_of_sight(beside, seen)[1][hidden] for seen in (dark_rim, dark_inside))
    assert by_rim.max() == pytest.approx(HIDDEN_REST[0])
    assert by_inside.max() == pytest.approx(HIDDEN_REST[1])


def test_beside_cement_in_sound_marrow_a_little_of_what_its_glow_hides_counts(build_spine):
    made = build_spine(spacing_mm=(1.0, 0.6, 0.6))
    post, cement = with_cement(made, ball((0.0, -2.0, 0.0), 7.0))
    vertebra, grid = made.spine.vertebrae[0], made.volume.grid
    lesion = segment_lesion(post, made.spine, vertebra, cement=cement)
    cement_ml = float(cement.fraction.sum()) * grid.voxel_ml
    assert 1.0 < lesion.volume_ml / cement_ml < 1.2
    filling = measure_filling(cement, lesion, number=vertebra.number, grid=grid)
    assert filling is not None
    assert filling.rate > 0.85


def test_thin_marrow_is_hardly_told_from_tumour_and_dense_marrow_well():
    told = [told_apart(NormalMarrow(mean, 15.0, measured=True)) for mean in (40.0, 60.0, 80.0, 120.0, 200.0)]
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[2] == pytest.approx(0.5)
    assert told[-1] > 0.95
