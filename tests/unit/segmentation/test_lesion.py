"""Lesions of known place and volume are found; what is no lesion is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.findings import Destruction, LesionSource
from cementct.core.flags import Flag
from cementct.core.image import Mask
from cementct.segmentation.lesion import (
    Before,
    find_before,
    lesion_from_before,
    lesion_from_mask,
    outlined_after,
    segment_lesion,
)
from cementct.segmentation.lesion.bone import prepare_bone
from cementct.segmentation.lesion.kind import name_destruction
from cementct.segmentation.lesion.marrow import MarrowOf, measure_normal_marrow, own_marrow_hu
from cementct.segmentation.lesion.sclerotic import find_dense, find_lumps
from cementct.segmentation.model import Cement, Registration

STILL = Registration(rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.1, pre_number=101)


def ball(centre, radius):
    return lambda x, y, z: (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < radius**2


def before_of(made):
    return Before(made.volume, made.spine, made.spine.vertebrae[0], STILL)


def cement_of(made, shape):
    inside = shape(*made.local)
    number = np.where(inside, 101, 0).astype(np.uint16)
    return Cement(
        box=made.volume.grid.box,
        fraction=inside.astype(np.float32),
        region=inside,
        deposits=number,
        owner=number,
        properties=(),
        foreign=(),
        streaks=np.zeros_like(inside),
        noise_hu=12.0,
    )


def where_in(bone, shape):
    return shape(*np.moveaxis(bone.local_mm(), -1, 0))


def dice_with(lesion, made, shape):
    found = np.zeros(made.volume.grid.shape)
    found[lesion.box.slices] = lesion.fraction
    truth = shape(*made.local) & made.spine.vertebrae[0].body.in_box(made.volume.grid.box)
    return 2 * float((found * truth).sum()) / float(found.sum() + truth.sum())


def test_a_lytic_ball_in_sound_marrow_is_found_with_its_volume(build_spine):
    shape = ball((3.0, -2.0, 0.0), 7.5)
    made = build_spine(lesion=shape)
    lesion = lesion_from_before(before_of(made), made.volume.grid)
    assert lesion.source is LesionSource.PRE
    assert dice_with(lesion, made, shape) > 0.88
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * 7.5**3 / 1000, rel=0.1)
    assert lesion.destruction is Destruction.OSTEOLYTIC
    assert lesion.posterior_wall_involved is False


def test_a_lesion_through_the_posterior_wall_involves_it(build_spine):
    shape = ball((0.0, 8.0, 0.0), 8.0)
    made = build_spine(lesion=shape)
    lesion = lesion_from_before(before_of(made), made.volume.grid)
    assert lesion.posterior_wall_involved is True
    assert dice_with(lesion, made, shape) > 0.85


def test_sound_marrow_holds_no_lesion(build_spine):
    made = build_spine()
    lesion = lesion_from_before(before_of(made), made.volume.grid)
    assert lesion.source is LesionSource.NONE
    assert lesion.volume_ml == 0
    assert lesion.destruction is Destruction.NONE


def test_osteoporotic_marrow_is_no_lesion_and_says_that_it_cannot_tell(build_spine):
    made = build_spine(marrow_hu=60.0)
    lesion = lesion_from_before(before_of(made), made.volume.grid)
    assert lesion.source is LesionSource.NONE
    assert lesion.destruction is None


def with_blotches(made, numbers, *, depth_hu=110.0, scale_mm=3.0):
    """Return a spine in which the marrow of some vertebrae is as dark as tumour here and there."""
    rng = np.random.default_rng(5)
    sigma = [scale_mm / s for s in made.volume.grid.spacing_mm]
    pattern = ndimage.gaussian_filter(rng.normal(size=made.volume.grid.shape), sigma)
    hu = made.volume.hu.copy()
    for vertebra in made.spine.vertebrae:
        if vertebra.number in numbers:
            block, inside = (
                vertebra.body.box.slices,
                ndimage.binary_erosion(vertebra.body.voxels, iterations=3),
            )
            hu[block][inside & (pattern[block] < 0)] -= int(depth_hu)
            hu[block][inside & (pattern[block] > 0)] += int(depth_hu) // 2
    return replace(made, volume=replace(made.volume, hu=hu))


def test_what_looks_like_a_lesion_in_thin_marrow_is_none_where_a_neighbour_holds_as_much(build_spine):
    made = build_spine(marrow_hu=85.0)
    own, *others = (v.number for v in made.spine.vertebrae)

    everywhere = with_blotches(made, (own, *others))
    lesion = lesion_from_before(before_of(everywhere), made.volume.grid)
    assert lesion.source is LesionSource.NONE
    assert lesion.destruction is None

    alone = with_blotches(made, (own,))
    assert lesion_from_before(before_of(alone), made.volume.grid).volume_ml > 1.0


@pytest.mark.parametrize(("radius_mm", "found"), [(11.0, True), (6.5, False)], ids=["large", "small"])
def test_bright_tumour_is_seen_where_it_is_a_good_part_of_the_body(build_spine, radius_mm, found):
    shape = ball((0.0, -1.0, 0.0), radius_mm)
    made = build_spine(marrow_hu=125.0, lesion=shape, lesion_hu=82.0)
    lesion = lesion_from_before(before_of(made), made.volume.grid)
    assert (lesion.volume_ml > 0) is found
    if found:
        assert dice_with(lesion, made, shape) > 0.8


def test_a_large_lesion_in_thin_marrow_does_not_pass_for_that_marrow(build_spine):
    shape = ball((-7.0, 0.0, 0.0), 10.5)
    made = build_spine(marrow_hu=90.0, lesion=shape, noise_hu=8.0)
    bone = prepare_bone(made.volume, made.spine.vertebrae[0])
    normal = measure_normal_marrow(MarrowOf(made.volume), made.spine, made.spine.vertebrae[0])
    assert own_marrow_hu(bone, normal) == pytest.approx(normal.mean_hu, abs=10)
    assert dice_with(lesion_from_before(before_of(made), made.volume.grid), made, shape) > 0.8


def test_thin_marrow_beside_a_large_lesion_is_read_apart_from_it(build_spine):
    made = build_spine(marrow_hu=65.0, lesion=ball((-5.0, 0.0, 0.0), 13.0))
    vertebra = made.spine.vertebrae[0]
    bone = prepare_bone(made.volume, vertebra)
    normal = measure_normal_marrow(MarrowOf(made.volume), made.spine, vertebra)
    lesion = where_in(bone, ball((-5.0, 0.0, 0.0), 15.0))
    sound = own_marrow_hu(bone, normal, without=lesion)
    assert own_marrow_hu(bone, normal) == pytest.approx(sound, abs=6)


def test_a_lesion_in_thin_marrow_is_found_whole_under_strong_noise(build_spine):
    shape = ball((-5.0, 0.0, 0.0), 7.5)
    made = build_spine(marrow_hu=75.0, lesion=shape, noise_hu=40.0)
    assert dice_with(lesion_from_before(before_of(made), made.volume.grid), made, shape) > 0.86


def test_a_thin_sclerotic_shell_is_no_wider_than_it_is(build_spine):
    outer, inner = ball((0.0, -1.0, 0.0), 8.5), ball((0.0, -1.0, 0.0), 7.0)
    made = build_spine(lesion=lambda x, y, z: outer(x, y, z) & ~inner(x, y, z), lesion_hu=650.0)
    hu = np.where(inner(*made.local), 50, made.volume.hu).astype(np.int16)
    mixed = replace(made, volume=replace(made.volume, hu=hu))
    lesion = lesion_from_before(before_of(mixed), made.volume.grid)
    assert lesion.destruction is Destruction.MIXED
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * 8.5**3 / 1000, rel=0.08)


def test_lysis_that_sclerosis_parts_is_found_with_it(build_spine):
    whole = ball((-3.0, -2.0, 0.0), 7.8)

    def bar(x, y, z):
        return whole(x, y, z) & (np.abs(x + 3.0) < 3.2)

    made = build_spine(lesion=whole, lesion_hu=48.0)
    hu = np.where(bar(*made.local), 700, made.volume.hu).astype(np.int16)
    mixed = replace(made, volume=replace(made.volume, hu=hu))
    lesion = lesion_from_before(before_of(mixed), made.volume.grid)
    assert lesion.destruction is Destruction.MIXED
    assert dice_with(lesion, made, whole) > 0.75


def test_a_dense_endplate_makes_no_lump_of_sclerosis(build_spine):
    made = build_spine(lesion=lambda x, y, z: (z > 7.3) & (np.hypot(x, y) < 14.0), lesion_hu=700.0)
    bone = prepare_bone(made.volume, made.spine.vertebrae[0])
    normal = measure_normal_marrow(MarrowOf(made.volume), made.spine, made.spine.vertebrae[0])
    _, dense = find_dense(bone, normal, normal.mean_hu)
    assert dense.any()
    assert not find_lumps(bone, dense).any()


def test_the_basivertebral_vein_is_no_lesion(build_spine):
    def vein(x, y, z):
        return (np.hypot(x, z) < 3.0) & (y > 0)

    made = build_spine(lesion=vein)
    assert lesion_from_before(before_of(made), made.volume.grid).source is LesionSource.NONE


def test_a_dense_ball_is_blastic(build_spine):
    shape = ball((0.0, -2.0, 0.0), 7.0)
    made = build_spine(lesion=shape, lesion_hu=620.0)
    lesion = lesion_from_before(before_of(made), made.volume.grid)
    assert lesion.destruction is Destruction.OSTEOBLASTIC
    assert dice_with(lesion, made, shape) > 0.85


@pytest.mark.parametrize(
    ("lytic_ml", "sclerotic_ml", "expected"),
    [
        (1.0, 0.0, Destruction.OSTEOLYTIC),
        (0.81, 0.19, Destruction.OSTEOLYTIC),
        (0.8, 0.2, Destruction.MIXED),
        (0.25, 0.75, Destruction.MIXED),
        (0.1, 0.9, Destruction.OSTEOBLASTIC),
        (0.0, 0.0, Destruction.NONE),
    ],
)
def test_the_type_of_destruction_follows_the_sclerotic_share(lytic_ml, sclerotic_ml, expected):
    assert name_destruction(lytic_ml, sclerotic_ml) is expected


def test_after_injection_alone_cement_and_the_lytic_rest_make_the_lesion(build_spine):
    lesion_shape, cement_shape = ball((0.0, -2.0, 0.0), 9.0), ball((-3.0, -2.0, 0.0), 5.0)
    made = build_spine(lesion=lesion_shape)
    cement = cement_of(made, cement_shape)
    hu = np.where(cement.region, 2500, made.volume.hu).astype(np.int16)
    post = replace(made.volume, hu=hu)
    lesion = segment_lesion(post, made.spine, made.spine.vertebrae[0], cement=cement)
    assert lesion.source is LesionSource.POST
    assert lesion.destruction is None
    assert [flag.flag for flag in lesion.flags] == [Flag.FILLING_BIASED_HIGH]
    assert dice_with(lesion, made, lesion_shape) > 0.8


def test_a_thin_shell_of_lesion_around_cement_is_seen_without_an_earlier_scan(build_spine):
    lesion_shape, cement_shape = ball((0.0, -2.0, 0.0), 9.0), ball((0.0, -2.0, 0.0), 6.0)
    made = build_spine(lesion=lesion_shape)
    cement = cement_of(made, cement_shape)
    post = replace(made.volume, hu=np.where(cement.region, 2500, made.volume.hu).astype(np.int16))
    lesion = segment_lesion(post, made.spine, made.spine.vertebrae[0], cement=cement)
    assert dice_with(lesion, made, lesion_shape) > 0.85


def test_cement_in_sound_marrow_is_its_own_lesion_without_an_earlier_scan(build_spine):
    cement_shape = ball((0.0, -2.0, 0.0), 7.0)
    made = build_spine()
    cement = cement_of(made, cement_shape)
    post = replace(made.volume, hu=np.where(cement.region, 2500, made.volume.hu).astype(np.int16))
    lesion = segment_lesion(post, made.spine, made.spine.vertebrae[0], cement=cement)
    assert dice_with(lesion, made, cement_shape) > 0.9


def test_a_treated_neighbours_marrow_is_not_taken_for_sound(build_spine):
    shape = ball((3.0, -2.0, 0.0), 7.5)
    made = build_spine(lesion=shape)
    hu = made.volume.hu.copy()
    neighbour = made.spine.vertebrae[1].body
    hu[neighbour.box.slices][neighbour.voxels] = 60
    dark = replace(made, volume=replace(made.volume, hu=hu))
    told = replace(before_of(dark), affected=frozenset({102}))
    assert dice_with(lesion_from_before(told, made.volume.grid), made, shape) > 0.85


def test_outlines_drawn_after_injection_are_used_before_it_unless_the_body_was_raised(build_spine):
    made = build_spine()
    upper, lower = made.spine.vertebrae
    drawn = outlined_after(before_of(made), upper, made.volume.grid)
    assert drawn.body is not None
    assert drawn.body.count == pytest.approx(upper.body.count, rel=0.02)
    assert outlined_after(before_of(made), lower, made.volume.grid).body is None


def test_a_cut_vertebra_has_no_guessed_lesion(build_spine):
    made = build_spine()
    cut = replace(made.spine.vertebrae[0], complete=False)
    cement = cement_of(made, ball((0.0, 0.0, 0.0), 5.0))
    lesion = segment_lesion(made.volume, made.spine, cut, cement=cement)
    assert lesion.source is LesionSource.NONE
    assert lesion.destruction is None


def test_a_drawn_lesion_is_taken_as_it_is_within_its_vertebra(build_spine):
    made = build_spine()
    drawn = ball((0.0, 0.0, 0.0), 6.0)(*made.local)
    lesion = lesion_from_mask(Mask(drawn, made.volume.grid), made.spine.vertebrae[0])
    assert lesion.source is LesionSource.MASK
    assert lesion.volume_ml == pytest.approx(np.count_nonzero(drawn) * made.volume.grid.voxel_ml)
    elsewhere = lesion_from_mask(Mask(drawn, made.volume.grid), made.spine.vertebrae[1])
    assert elsewhere.source is LesionSource.NONE


def test_a_failed_registration_is_not_used(build_spine):
    made = build_spine()
    assert find_before(made.volume, made.spine, None) is None
    assert find_before(made.volume, made.spine, replace(STILL, ok=False)) is None
    found = find_before(made.volume, made.spine, STILL)
    assert found is not None
    assert found.vertebra.number == 101
