"""Known movements are found again, vertebra by vertebra, through cement and from another numbering."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import Region, Volume
from cementct.segmentation.earlier import carry_earlier_scan
from cementct.segmentation.model import Registration
from cementct.segmentation.registration import (
    carry_hu,
    carry_region,
    carry_region_back,
    carry_share,
    register_spines,
    spines,
)
from cementct.segmentation.registration.carry import inverse
from cementct.segmentation.registration.matching import clearly_nearest
from cementct.segmentation.registration.movement import Movement, angle_deg, rotation_of
from cementct.segmentation.registration.scene import cement_above_hu

TURN = rotation_of(np.radians([4.0, -3.0, 6.0]))
SHIFT_MM = np.array([4.0, -6.0, 5.0])
STILL = Registration(rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.1, pre_number=101)


def moved_spine(made, rotation, translation, *, error_mm=3.0, error_deg=5.0):
    """Return the vertebrae where they lie after the movement, their frames as wrong as an engine's."""
    vertebrae = []
    for vertebra in made.spine.vertebrae:
        frame = vertebra.frame
        wrong = rotation_of(np.radians([error_deg, 0.0, -error_deg]))
        centre = np.asarray(frame.centre_lps_mm) @ rotation.T + translation + error_mm / 2
        axes = frame.axes @ rotation.T @ wrong.T
        points = made.volume.grid.to_lps(np.argwhere(vertebra.whole.in_box(made.volume.grid.box)))
        index = np.rint(made.volume.grid.to_index(points @ rotation.T + translation)).astype(int)
        keep = np.all((index >= 0) & (index < made.volume.grid.shape), axis=1)
        whole = np.zeros(made.volume.grid.shape, dtype=bool)
        whole[tuple(index[keep].T)] = True
        vertebrae.append(
            replace(
                vertebra,
                frame=Frame.from_axes(centre, axes[2], axes[1]),
                whole=Region.of(whole),
                body=Region.of(whole),
            )
        )
    return replace(made.spine, vertebrae=tuple(vertebrae))


def error_mm(registration, made, number, rotation, translation):
    vertebra = next(v for v in made.spine.vertebrae if v.number == number)
    points = made.volume.grid.to_lps(vertebra.body.indices())
    apart = registration.to_post(points) - (points @ rotation.T + translation)
    return float(np.sqrt((apart**2).sum(axis=1).mean()))


def test_a_known_movement_is_found_again_through_cement(build_spine, moved_volume):
    made = build_spine()
    post = moved_volume(made.volume, TURN, SHIFT_MM)
    spine = moved_spine(made, TURN, SHIFT_MM)
    hu = post.hu.copy()
    index = np.stack(np.meshgrid(*[np.arange(n) for n in hu.shape], indexing="ij"), axis=-1)
    away = np.linalg.norm(post.grid.to_lps(index) - SHIFT_MM, axis=-1)
    hu[away < 10.0] = 3071
    found = register_spines(made.volume, made.spine, Volume(hu, post.grid), spine)
    assert set(found) == {101, 102}
    for number, registration in found.items():
        assert registration.ok
        assert registration.pre_number == number
        assert error_mm(registration, made, number, TURN, SHIFT_MM) < 0.25
        assert registration.residual_mm is not None
        assert registration.residual_mm < 0.4


def test_a_vertebra_whose_coarse_search_went_astray_is_found_from_its_neighbour(
    build_spine, moved_volume, monkeypatch
):
    made = build_spine(count=3)
    post = moved_volume(made.volume, TURN, SHIFT_MM)
    spine = moved_spine(made, TURN, SHIFT_MM)
    matched = spines.match_spines

    def astray(scans):
        first, second, third = matched(scans)
        wrong = second.coarse.movement.nudged(
            np.radians([0.0, 0.0, 90.0]), np.array([9.0, 9.0, 0.0]), np.asarray(SHIFT_MM)
        )
        return first, replace(second, coarse=replace(second.coarse, movement=wrong)), third

    monkeypatch.setattr(spines, "match_spines", astray)
    found = register_spines(made.volume, made.spine, post, spine)
    for number, registration in found.items():
        assert registration.ok
        assert error_mm(registration, made, number, TURN, SHIFT_MM) < 0.25


def test_a_vertebra_missing_from_view_shifts_the_numbers_but_not_the_pairs(build_spine, moved_volume):
    made = build_spine(count=3)
    post = moved_volume(made.volume, np.eye(3), np.array([2.0, 1.0, -3.0]))
    full = moved_spine(made, np.eye(3), np.array([2.0, 1.0, -3.0]))
    lower = tuple(replace(v, position=i, number=101 + i) for i, v in enumerate(full.vertebrae[1:]))
    found = register_spines(made.volume, made.spine, post, replace(full, vertebrae=lower))
    assert {number: r.pre_number for number, r in found.items()} == {101: 102, 102: 103}


def with_cement(volume, vertebra, radius_mm, hu=3000):
    """Return a scan with a ball of cement in the middle of a vertebra."""
    filled = volume.hu.copy()
    index = np.stack(np.meshgrid(*[np.arange(n) for n in filled.shape], indexing="ij"), axis=-1)
    away = np.linalg.norm(volume.grid.to_lps(index) - np.asarray(vertebra.frame.centre_lps_mm), axis=-1)
    filled[away < radius_mm] = hu
    return Volume(filled, volume.grid)


def test_vertebrae_are_not_paired_where_cement_of_old_would_have_vanished(build_spine, moved_volume):
    made = build_spine(count=3)
    shift_mm = np.array([2.0, 1.0, -3.0])
    before = with_cement(made.volume, made.spine.vertebrae[2], 8.0)
    full = moved_spine(made, np.eye(3), shift_mm)
    lower = replace(
        full,
        vertebrae=tuple(replace(v, position=i, number=101 + i) for i, v in enumerate(full.vertebrae[1:])),
    )
    kept = moved_volume(before, np.eye(3), shift_mm)
    found = register_spines(before, made.spine, kept, lower)
    assert {number: r.pre_number for number, r in found.items()} == {101: 102, 102: 103}
    gone = moved_volume(made.volume, np.eye(3), shift_mm)
    found = register_spines(before, made.spine, gone, lower)
    assert 103 not in {r.pre_number for r in found.values()}


def test_cement_of_old_does_not_decide_what_is_too_dense_for_bone(build_spine):
    made = build_spine(count=3)
    before = with_cement(made.volume, made.spine.vertebrae[2], 8.0)
    plain = cement_above_hu((made.volume, made.spine), (made.volume, made.spine))
    assert cement_above_hu((before, made.spine), (made.volume, made.spine)) == pytest.approx(plain, abs=50.0)


def test_two_different_patients_are_not_registered(build_spine):
    made = build_spine()
    rng = np.random.default_rng(0)
    noise = Volume(rng.normal(60, 60, made.volume.hu.shape).astype(np.int16), made.volume.grid)
    found = register_spines(made.volume, made.spine, noise, made.spine)
    assert not any(r.ok for r in found.values())


def test_only_the_wanted_vertebrae_are_registered(build_spine):
    made = build_spine()
    assert set(register_spines(made.volume, made.spine, made.volume, made.spine, only={102})) == {102}


def test_an_empty_spine_has_nothing_to_register(build_spine):
    made = build_spine()
    assert register_spines(made.volume, replace(made.spine, vertebrae=()), made.volume, made.spine) == {}


def some_registration():
    return Registration(rotation=TURN, translation_mm=SHIFT_MM, ok=True, residual_mm=0.1, pre_number=101)


def test_a_movement_and_its_inverse_cancel():
    points = np.random.default_rng(0).normal(0, 40, (20, 3))
    there = some_registration()
    assert np.allclose(inverse(there).to_post(there.to_post(points)), points)
    assert np.allclose(there.to_pre(there.to_post(points)), points)


def test_a_nudge_about_a_point_leaves_that_point_in_place():
    movement = Movement(TURN, SHIFT_MM)
    about = np.array([1.0, 2.0, 3.0])
    held = movement.undo(about)
    nudged = movement.nudged(np.radians([0.0, 10.0, 0.0]), np.zeros(3), about)
    assert np.allclose(nudged.apply(held), about)
    assert math.isclose(angle_deg(nudged.rotation @ movement.rotation.T), 10.0, abs_tol=1e-6)


def test_a_carried_ball_keeps_its_volume_and_goes_where_the_registration_says():
    pre = Grid((40, 40, 40), (1.5, 1.0, 1.0), (0.0, 0.0, 0.0))
    post = Grid((70, 80, 80), (0.8, 0.7, 0.7), (0.0, -10.0, 0.0))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in pre.shape], indexing="ij"), axis=-1)
    ball = Region.of(np.linalg.norm(pre.to_lps(index) - (20.0, 22.0, 30.0), axis=-1) < 9.0)
    there = some_registration()
    carried = carry_region(ball, pre, there, post)
    assert carried.count * post.voxel_ml == pytest.approx(ball.count * pre.voxel_ml, rel=0.03)
    centre = post.to_lps(carried.indices()).mean(axis=0)
    assert np.allclose(centre, there.to_post(np.array([20.0, 22.0, 30.0])), atol=0.3)
    back = carry_region_back(carried, post, there, pre)
    both = np.count_nonzero(back.in_box(pre.box) & ball.in_box(pre.box))
    assert 2 * both / (back.count + ball.count) > 0.95


def test_carried_shares_keep_their_sum():
    pre = Grid((20, 20, 20), (3.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    post = Grid((90, 60, 60), (1.0, 0.9, 0.9), (-10.0, -20.0, -10.0))
    share = np.zeros(pre.shape, dtype=np.float32)
    share[8:12, 8:12, 8:12] = 0.5
    _, carried = carry_share(share, pre, some_registration(), post)
    assert float(carried.sum()) * post.voxel_ml == pytest.approx(float(share.sum()) * pre.voxel_ml, rel=0.03)


def test_nothing_is_known_beyond_the_pre_injection_scan(build_spine):
    made = build_spine(count=1)
    grid = made.volume.grid
    far = Registration(
        rotation=np.eye(3), translation_mm=np.array([0.0, 20.0, 0.0]), ok=True, residual_mm=0.1
    )
    hu = carry_hu(made.volume, far, grid, grid.box, np.ones(grid.shape, dtype=np.bool_)).reshape(grid.shape)
    assert np.isnan(hu[:, :18]).all()
    assert np.isfinite(hu[:, 22:]).all()


def test_thin_slices_are_carried_as_dull_as_the_thick_ones_they_are_compared_with(build_spine):
    made = build_spine(count=1)
    grid = made.volume.grid
    thick = replace(grid, spacing_mm=(3.6, 1.0, 1.0), shape=(grid.shape[0] // 3, *grid.shape[1:]))
    # Each thick slice lies in the middle of three thin ones.
    hu = made.volume.hu[: 3 * thick.shape[0]].reshape(-1, 3, *grid.shape[1:]).mean(axis=1)
    middle = grid.to_lps((1, 0, 0))
    thick = replace(thick, origin_lps_mm=tuple(float(v) for v in middle))
    still = Registration(rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.1)
    everywhere = np.ones(thick.shape, dtype=np.bool_)

    def difference(blur_mm: float) -> float:
        carried = carry_hu(made.volume, still, thick, thick.box, everywhere, blur_mm=blur_mm)
        return float(np.nanstd(carried.reshape(thick.shape) - hu))

    assert difference(1.15) < 0.5 * difference(0.0)


def test_the_earlier_scan_is_known_around_registered_vertebrae_only(build_spine):
    made = build_spine()
    earlier = carry_earlier_scan((made.volume, made.spine), {101: STILL}, made.volume, made.spine)
    assert earlier is not None
    upper, lower = made.spine.vertebrae
    shown = earlier.hu[upper.body.in_box(earlier.box)]
    assert np.allclose(shown, made.volume.hu[earlier.box.slices][upper.body.in_box(earlier.box)])
    assert np.isnan(earlier.hu[lower.body.in_box(earlier.box)]).all()
    assert carry_earlier_scan((made.volume, made.spine), {}, made.volume, made.spine) is None


def test_nothing_is_known_where_a_raised_body_stands_in_what_was_disc(build_spine):
    made = build_spine()
    upper = made.spine.vertebrae[0]
    body = upper.body.in_box(made.volume.grid.box)
    step = made.volume.grid.spacing_mm[0]
    top = int(np.flatnonzero(body.any(axis=(1, 2)))[-1])
    lost = round(4.0 / step)
    compressed = body.copy()
    compressed[top + 1 - lost :] = False
    before = replace(made.spine, vertebrae=(replace(upper, body=Region.of(compressed)),))
    earlier = carry_earlier_scan((made.volume, before), {101: STILL}, made.volume, made.spine)
    assert earlier is not None
    unknown = np.isnan(earlier.hu)
    came = (body & ~compressed)[earlier.box.slices]
    assert unknown[came].mean() > 0.7
    deep = compressed.copy()
    deep[top + 1 - lost - round(2.0 / step) :] = False
    assert not unknown[deep[earlier.box.slices]].any()


@pytest.mark.parametrize(("half_mm", "raised"), [(30.0, True), (8.0, False)])
def test_of_bodies_that_stand_as_before_only_what_came_at_much_of_an_endplate_was_raised(
    build_spine, half_mm, raised
):
    made = build_spine()
    upper = made.spine.vertebrae[0]
    shown = upper.body.in_box(made.volume.grid.box)
    came = shown & (made.local[2] > 7.0) & (np.abs(made.local[0]) < half_mm)
    stood = replace(made.spine, vertebrae=(replace(upper, body=Region.of(shown & ~came)),))
    earlier = carry_earlier_scan((made.volume, stood), {101: STILL}, made.volume, stood, outlined=made.spine)
    assert earlier is not None
    unknown = np.isnan(earlier.hu)[came[earlier.box.slices]].mean()
    assert unknown > 0.7 if raised else unknown == 0.0


def test_levels_are_told_by_surfaces_only_where_one_pairing_lies_clearly_nearer() -> None:
    assert clearly_nearest([0.38, 0.09, 0.33]) == 1
    assert clearly_nearest([0.12]) == 0
    assert clearly_nearest([0.30, 0.36]) is None
    assert clearly_nearest([0.50, float("inf")]) is None
