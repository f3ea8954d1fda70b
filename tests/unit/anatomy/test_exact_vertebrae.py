"""What is measured on vertebrae of exact shape."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.carried import CarriedVertebra
from cementct.anatomy.describe import describe_spine, replace_vertebrae
from cementct.anatomy.model import Compartment, Spine
from cementct.core.flags import Flag
from cementct.core.image import LabelMap, Region, Volume
from cementct.metrics.heights import measure_heights

VOXEL_MM = 0.8


def angle_deg(first, second) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(first, second), -1.0, 1.0))))


def true_body(case, position: int) -> np.ndarray:
    return case.bodies.labels == position + 1


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


@pytest.fixture(scope="module")
def bent(exact):
    return exact(3, bend_deg=10.0, turn_deg=12.0)


@pytest.fixture(scope="module")
def bent_spine(bent) -> Spine:
    return describe_spine(bent.volume, bent.labels)


def test_vertebrae_run_from_top_to_bottom(bent_spine):
    heights = [v.frame.centre_lps_mm[2] for v in bent_spine.vertebrae]
    assert heights == sorted(heights, reverse=True)
    assert [v.number for v in bent_spine.vertebrae] == [101, 102, 103]


def test_frames_follow_tilt_and_turn(bent, bent_spine):
    for vertebra, truth in zip(bent_spine.vertebrae, bent.vertebrae, strict=True):
        assert angle_deg(vertebra.frame.superior, truth.frame.superior) < 1.0
        assert angle_deg(vertebra.frame.posterior, truth.frame.posterior) < 2.0


def test_a_body_is_cut_at_the_plane_of_its_posterior_wall(bent, bent_spine):
    whole = bent.volume.grid.box
    for vertebra in bent_spine.vertebrae:
        body = vertebra.body.in_box(whole)
        assert dice(body, true_body(bent, vertebra.position)) > 0.985


def test_the_posterior_wall_lies_where_it_was_drawn(bent, bent_spine):
    for vertebra, truth in zip(bent_spine.vertebrae, bent.vertebrae, strict=True):
        wall = vertebra.posterior_wall
        first, second = np.meshgrid(wall.first_mm, wall.second_mm, indexing="ij")
        points = vertebra.frame.to_lps(np.stack([first, wall.height_mm, second], axis=-1))
        error = truth.frame.to_local(points)[..., 1] - truth.wall
        assert abs(float(np.median(error))) < 0.4 * VOXEL_MM


def test_endplates_lie_where_they_were_drawn(bent, bent_spine):
    for vertebra, truth in zip(bent_spine.vertebrae, bent.vertebrae, strict=True):
        face = vertebra.superior_endplate
        first, second = np.meshgrid(face.first_mm, face.second_mm, indexing="ij")
        known = np.isfinite(face.height_mm)
        points = np.stack([first, second, face.height_mm], axis=-1)[known]
        local = truth.frame.to_local(vertebra.frame.to_lps(points))
        assert abs(float(np.median(local[:, 2] - truth.face_height(local[:, 1])))) < 0.6


def test_pedicle_borders_lie_where_they_were_drawn(bent, bent_spine):
    for vertebra, truth in zip(bent_spine.vertebrae, bent.vertebrae, strict=True):
        lift = truth.frame.to_local(vertebra.frame.centre_lps_mm)[2]
        for pedicle, sign in ((vertebra.left_pedicle, 1), (vertebra.right_pedicle, -1)):
            assert pedicle.medial_mm * sign == pytest.approx(truth.medial, abs=VOXEL_MM)
            assert pedicle.lateral_mm * sign == pytest.approx(truth.lateral, abs=VOXEL_MM)
            assert pedicle.inferior_mm + lift == pytest.approx(truth.inferior, abs=1.0)
            assert pedicle.superior_mm + lift == pytest.approx(truth.superior, abs=1.0)


def compartment_at(spine: Spine, frame, point) -> tuple[Compartment, int]:
    index = np.rint(spine.grid.to_index(frame.to_lps(point))).astype(int) - spine.compartments.box.start
    where = tuple(index)
    return Compartment(int(spine.compartments.compartment[where])), int(spine.compartments.place[where])


@pytest.mark.parametrize(
    ("point", "kind", "place"),
    [
        ((0, 0, 0), Compartment.BODY, 2),
        ((0, 21, 3), Compartment.CANAL, 2),
        ((0, 14.2, 3), Compartment.CANAL, 2),
        ((8, 20, -14), Compartment.CANAL, 2),
        ((15, 16, 4), Compartment.PEDICLE_LEFT, 2),
        ((-15, 16, 4), Compartment.PEDICLE_RIGHT, 2),
        ((15, 16, -9), Compartment.FORAMEN_LEFT, 2),
        ((-15, 16, -9), Compartment.FORAMEN_RIGHT, 2),
        ((15, 16, 17), Compartment.FORAMEN_LEFT, 1),
        ((0, 0, -17), Compartment.DISC, 2),
        ((0, 0, 17), Compartment.DISC, 1),
        ((0, 34, -5), Compartment.POSTERIOR_ELEMENTS, 2),
        ((29, 0, 0), Compartment.ELSEWHERE, 0),
        ((0, -20, 0), Compartment.ELSEWHERE, 0),
        ((25, 17, -9), Compartment.ELSEWHERE, 0),
    ],
)
def test_each_compartment_lies_where_the_contract_draws_it(bent, bent_spine, point, kind, place):
    assert compartment_at(bent_spine, bent.vertebrae[1].frame, point) == (kind, place)


def test_the_spaces_beyond_the_ends_are_drawn_by_about_one_disc(bent, bent_spine):
    top, bottom = bent.vertebrae[0].frame, bent.vertebrae[2].frame
    assert compartment_at(bent_spine, top, (0, 0, 17)) == (Compartment.DISC, 0)
    assert compartment_at(bent_spine, top, (15, 16, 14)) == (Compartment.FORAMEN_LEFT, 0)
    assert compartment_at(bent_spine, bottom, (0, 0, -17)) == (Compartment.DISC, 3)
    assert compartment_at(bent_spine, bottom, (0, 20, -16))[0] is Compartment.CANAL
    assert compartment_at(bent_spine, top, (0, 0, 28))[0] is Compartment.ELSEWHERE


def test_canal_ends_at_the_medial_borders_of_the_pedicles(bent, bent_spine):
    frame = bent.vertebrae[1].frame
    assert compartment_at(bent_spine, frame, (10.2, 17, -10))[0] is Compartment.CANAL
    assert compartment_at(bent_spine, frame, (12.2, 17, -10))[0] is Compartment.FORAMEN_LEFT


def test_what_lies_beneath_bone_in_a_foramen_is_known(exact):
    def with_bone_in_the_left_foramen(local, whole, number):
        left, posterior, superior = np.moveaxis(local, -1, 0)
        extra = (abs(left - 15) < 3) & (abs(posterior - 16) < 3) & (abs(superior + 5) < 7)
        return whole | extra if number == 2 else whole

    case = exact(3, edit=with_bone_in_the_left_foramen)
    spine = describe_spine(case.volume, case.labels)
    frame, borders = case.vertebrae[1].frame, spine.compartments
    point = (15, 16, -9)
    assert compartment_at(spine, frame, point)[0] is Compartment.POSTERIOR_ELEMENTS
    index = np.rint(spine.grid.to_index(frame.to_lps(point))).astype(int) - borders.box.start
    beneath = borders.beneath
    there = np.searchsorted(beneath.index, np.ravel_multi_index(tuple(index), borders.box.shape))
    assert Compartment(int(beneath.compartment[there])) is Compartment.FORAMEN_LEFT
    assert beneath.place[there] == 2
    # Only bone behind the bodies covers canal and foramina.
    assert set(np.unique(beneath.compartment)) <= {
        Compartment.CANAL,
        Compartment.FORAMEN_LEFT,
        Compartment.FORAMEN_RIGHT,
    }
    assert (borders.compartment.ravel()[beneath.index] != Compartment.DISC).all()


def edited(exact, remove):
    def edit(local, whole, number):
        return whole & ~remove(local[..., 0], local[..., 1], local[..., 2]) if number == 2 else whole

    return exact(3, bend_deg=5.0, edit=edit, spacing_mm=(1.5, 1.2, 1.2))


def test_the_basivertebral_foramen_is_bridged_and_is_no_defect(exact):
    case = edited(exact, lambda u, v, w: (abs(u) < 5) & (abs(w) < 5) & (v > 3) & (v < 14))
    vertebra = describe_spine(case.volume, case.labels).vertebrae[1]
    assert dice(vertebra.body.in_box(case.volume.grid.box), true_body(case, 1)) > 0.98
    assert not vertebra.wall_rebuilt


def test_a_hollow_body_is_filled(exact):
    case = edited(exact, lambda u, v, w: (abs(u) < 15) & (abs(v) < 9) & (abs(w) < 9))
    vertebra = describe_spine(case.volume, case.labels).vertebrae[1]
    assert dice(vertebra.body.in_box(case.volume.grid.box), true_body(case, 1)) > 0.98


def test_a_dent_in_an_endplate_lies_outside_the_body_and_in_the_disc(exact):
    case = edited(exact, lambda u, v, w: (abs(u) < 10) & (abs(v) < 8) & (w > 8))
    spine = describe_spine(case.volume, case.labels)
    frame = case.vertebrae[1].frame
    assert compartment_at(spine, frame, (0, 0, 10.5)) == (Compartment.DISC, 1)
    assert compartment_at(spine, frame, (0, 0, 5))[0] is Compartment.BODY


def test_a_destroyed_posterior_wall_is_rebuilt_with_a_flag(exact):
    case = edited(exact, lambda u, v, w: (abs(u) < 10) & (v > 4) & (v < 14) & (w < 7) & (w > -14))
    vertebra = describe_spine(case.volume, case.labels).vertebrae[1]
    assert vertebra.wall_rebuilt
    assert Flag.POSTERIOR_WALL_REBUILT in {f.flag for f in vertebra.flags}
    assert dice(vertebra.body.in_box(case.volume.grid.box), true_body(case, 1)) > 0.96


def test_vertebrae_that_the_scan_cuts_are_not_complete(exact):
    case = exact(3, margin_mm=(4.0, 2.0), spacing_mm=(1.5, 1.2, 1.2))
    complete = [v.complete for v in describe_spine(case.volume, case.labels).vertebrae]
    assert complete == [False, True, False]


def test_unmeasured_padding_cuts_a_vertebra_as_the_edge_does(exact):
    case = exact(2, spacing_mm=(1.5, 1.2, 1.2))
    hu = np.zeros(case.volume.grid.shape, dtype=np.int16)
    level = int(case.volume.grid.to_index(case.vertebrae[0].frame.centre_lps_mm)[0])
    hu[level + 5 :] = -2048
    labels = np.where(hu > -1536, case.labels.vertebrae.labels, 0).astype(np.uint8)
    cut = replace(case.labels, vertebrae=LabelMap(labels, case.volume.grid))
    spine = describe_spine(Volume(hu, case.volume.grid), cut)
    assert [v.complete for v in spine.vertebrae] == [False, True]
    assert Flag.VERTEBRA_CUT in {f.flag for f in spine.vertebrae[0].flags}


def test_a_spine_that_lies_the_other_way_round_than_the_header_says_is_noticed(exact):
    case = exact(2, spacing_mm=(1.5, 1.2, 1.2))
    turned = LabelMap(case.labels.vertebrae.labels[:, ::-1], case.volume.grid)
    spine = describe_spine(case.volume, replace(case.labels, vertebrae=turned))
    assert spine.orientation_contradicts_anatomy
    assert Flag.ORIENTATION_CONTRADICTS_ANATOMY in {f.flag for f in spine.flags}
    assert all(np.linalg.det(v.frame.axes) == pytest.approx(1.0) for v in spine.vertebrae)


def test_no_label_gives_no_vertebra_and_says_so(exact):
    case = exact(1, spacing_mm=(1.5, 1.2, 1.2))
    nothing = LabelMap(np.zeros(case.volume.grid.shape, dtype=np.uint8), case.volume.grid)
    spine = describe_spine(case.volume, replace(case.labels, vertebrae=nothing))
    assert spine.vertebrae == ()
    assert Flag.NO_VERTEBRAE_FOUND in {f.flag for f in spine.flags}


def test_bodies_carried_over_from_another_scan_replace_those_of_the_mask(exact):
    case = edited(exact, lambda u, v, w: (abs(u) < 10) & (v > 4) & (v < 14) & (w < 7) & (w > -14))
    spine = describe_spine(case.volume, case.labels)
    replaced = replace_vertebrae(
        case.volume, case.labels, spine, {1: CarriedVertebra(Region.of(true_body(case, 1)))}
    )
    assert dice(replaced.vertebrae[1].body.in_box(case.volume.grid.box), true_body(case, 1)) > 0.999
    wall = replaced.vertebrae[1].posterior_wall
    assert float(np.median(wall.height_mm)) > 10.0


def test_a_wedged_body_has_its_angle_heights_and_loss(exact):
    wedged = exact(3, wedge_deg=12.0, spacing_mm=(1.2, 1.0, 1.0))
    spine = describe_spine(wedged.volume, wedged.labels)
    found = measure_heights(spine.vertebrae[1], spine)
    assert found.wedge_angle_deg == pytest.approx(12.0, abs=1.2)
    assert found.heights_mm.anterior < found.heights_mm.middle < found.heights_mm.posterior
    assert found.heights_mm.middle == pytest.approx(26.0, abs=1.0)


def test_height_loss_is_told_from_sound_neighbours_and_is_null_without(exact):
    case = exact(2, spacing_mm=(1.5, 1.2, 1.2))
    spine = describe_spine(case.volume, case.labels)
    found = measure_heights(spine.vertebrae[0], spine)
    assert found.height_loss == pytest.approx(0.0, abs=0.03)
    assert found.compressed is False
    alone = measure_heights(spine.vertebrae[0], spine, treated=(1,))
    assert alone.height_loss is None
    assert Flag.SOUND_NEIGHBOUR_MISSING in {f.flag for f in alone.flags}
