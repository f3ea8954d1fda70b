"""Leaks of exact shape in a column of blocks: found by type, measured, and not invented."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from cementct.core.arrays import BoolArray
from cementct.core.findings import Certainty, Leak, LeakType, Side
from cementct.core.flags import Flag
from cementct.core.grid import Triple
from cementct.core.image import Volume
from cementct.metrics import leak_certainty
from cementct.metrics.leaks import LeakFindings, measure_leaks
from cementct.segmentation.model import Cement
from cementct.testing.block_spine import (
    DISC_MM,
    BlockSpine,
    Shape,
    ball,
    block,
    build_block_spine,
    cord,
    join,
)

THIN: Triple = (1.0, 0.75, 0.75)
THICK: Triple = (2.5, 0.8, 0.8)
# Cement well inside the body, 6 mm before the wall.
DEEP = block((-5, 2, -5), (8, 10, 5))
L2 = 21


@cache
def column(spacing_mm: Triple = THIN, offset_mm: Triple = (0.31, 0.17, 0.44)) -> BlockSpine:
    return build_block_spine(spacing_mm, offset_mm=offset_mm)


def findings(shape: Shape, spacing_mm: Triple = THIN) -> LeakFindings:
    spine = column(spacing_mm)
    cement = spine.cement_of(shape)
    return measure_leaks(cement, spine.spine, spine.volume_with(cement))


def leaks(shape: Shape, spacing_mm: Triple = THIN) -> tuple[Leak, ...]:
    return findings(shape, spacing_mm).leaks[L2]


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(ball((0, 0, 0), 6), id="deep in the body"),
        pytest.param(block((-8, 8, -7), (8, 16, 7)), id="flush with the posterior wall"),
        pytest.param(block((-6, -5, 5), (6, 5, 13)), id="flush under the endplate"),
        pytest.param(block((14, -6, -6), (22, 6, 6)), id="flush with the side"),
        pytest.param(block((-6, -16, -6), (6, -10, 6)), id="flush with the front"),
        pytest.param(join(DEEP, cord([(10, 5, 5), (15.5, 16, 5.5), (15.5, 26, 5.5)], 5)), id="in a pedicle"),
        pytest.param(block((-22, -16, -13), (22, 16, 13)), id="filling the whole body"),
    ],
)
def test_cement_within_its_vertebra_is_no_leak(shape: Shape) -> None:
    found = findings(shape)

    assert found.leaks[L2] == ()
    assert not found.labels.any()
    assert Flag.LEAK_TRACE not in {flag.flag for flag in found.flags[L2]}


@pytest.mark.parametrize("spacing_mm", [THICK])
@pytest.mark.parametrize(
    ("kind", "shape", "volume_ml"),
    [
        (LeakType.DISKAL, block((-5, -5, 15), (5, 5, 19)), 0.4),
        (LeakType.EPIDURAL, block((2, 17, -8), (8, 20, 8)), 0.288),
        (LeakType.FORAMINAL, block((13, 18, -10), (18, 24, -4)), 0.18),
        (LeakType.PARAVERTEBRAL, block((24, -6, -4), (27, 6, 4)), 0.288),
        (LeakType.ACCESS_TRACK, cord([(19.5, 40, 7), (25, 52, 9)], 2.8), 0.094),
    ],
)
def test_a_leak_is_found_in_its_compartment_with_its_volume(
    kind: LeakType, shape: Shape, volume_ml: float, spacing_mm: Triple
) -> None:
    (leak,) = leaks(join(DEEP, shape), spacing_mm)

    assert leak.type is kind
    assert leak.certainty is Certainty.DEFINITE
    assert leak.volume_ml == pytest.approx(volume_ml, rel=0.1)


@pytest.mark.parametrize("spacing_mm", [THIN, (1.5, 0.9, 0.9)])
@pytest.mark.parametrize("thickness_mm", [1.0, 1.5])
def test_a_thin_sheet_behind_the_wall_is_found(thickness_mm: float, spacing_mm: Triple) -> None:
    sheet = block((1, 16, -9), (9, 16 + thickness_mm, 9))

    (leak,) = leaks(join(DEEP, sheet), spacing_mm)

    assert leak.type is LeakType.EPIDURAL
    assert leak.certainty is Certainty.DEFINITE
    assert leak.side is Side.LEFT
    assert leak.volume_ml == pytest.approx(column(spacing_mm).volume_ml(sheet), rel=0.12)
    assert leak.thickness_mm == pytest.approx(thickness_mm, abs=0.3)


def test_a_sheet_that_touches_the_cement_inside_is_told_from_its_blurred_rim() -> None:
    flush = block((-8, -4, -7), (8, 16, 7))

    sheet = block((-5, 16, -8), (5, 17.5, 8))

    (leak,) = leaks(join(flush, sheet))

    assert leak.type is LeakType.EPIDURAL
    assert leak.volume_ml == pytest.approx(column().volume_ml(sheet), rel=0.15)


def test_cement_two_millimetres_beyond_a_rebuilt_wall_is_a_leak_and_flush_cement_is_none() -> None:
    spine = build_block_spine(THIN, wall_rebuilt=True)
    flush = block((-8, -4, -7), (8, 16, 7))
    beyond = join(flush, block((-5, 16, -5), (5, 18, 5)))

    def found(shape: Shape) -> tuple[Leak, ...]:
        cement = spine.cement_of(shape)
        return measure_leaks(cement, spine.spine, spine.volume_with(cement)).leaks[L2]

    assert found(flush) == ()
    assert [leak.type for leak in found(beyond)] == [LeakType.EPIDURAL]


def test_what_crosses_from_canal_to_foramen_is_split_at_the_pedicles() -> None:
    found = leaks(join(DEEP, block((4, 17, -9), (19, 20, -5))))

    volumes = {leak.type: leak.volume_ml for leak in found}
    assert volumes[LeakType.EPIDURAL] == pytest.approx(0.084, rel=0.12)
    assert volumes[LeakType.FORAMINAL] == pytest.approx(0.096, rel=0.12)


def test_pieces_up_to_two_millimetres_apart_are_one_leak_and_further_ones_are_two() -> None:
    def pair(gap_mm: float) -> Shape:
        half = gap_mm / 2
        return join(DEEP, block((-6, -4, 16), (-half, 4, 19)), block((half, -4, 16), (6, 4, 19)))

    assert len(leaks(pair(1.6))) == 1
    assert len(leaks(pair(3.2))) == 2


def test_paired_epidural_cords_are_two_leaks_one_on_each_side() -> None:
    pair = [cord([(s * 5, 17.2, -20), (s * 5, 17.2, 20)], 2) for s in (-1, 1)]

    found = leaks(join(DEEP, *pair))

    assert {leak.side for leak in found} == {Side.LEFT, Side.RIGHT}
    assert all(leak.type is LeakType.EPIDURAL and leak.vessel_like for leak in found)
    assert [leak.volume_ml for leak in found] == pytest.approx([0.129, 0.129], rel=0.1)


def test_a_speck_in_the_canal_is_listed_as_possible_and_elsewhere_only_a_trace() -> None:
    in_canal = findings(join(DEEP, ball((4, 22, 0), 1.4)))
    beside = findings(join(DEEP, ball((26, 0, 0), 1.4)))

    (speck,) = in_canal.leaks[L2]
    assert speck.type is LeakType.EPIDURAL
    assert speck.certainty is Certainty.POSSIBLE
    assert Flag.LEAK_POSSIBLE in {flag.flag for flag in in_canal.flags[L2]}
    assert beside.leaks[L2] == ()
    assert Flag.LEAK_TRACE in {flag.flag for flag in beside.flags[L2]}
    assert not beside.labels.any()


def test_a_diskal_leak_names_the_levels_it_lies_between() -> None:
    up, down = (leaks(join(DEEP, block((-4, -4, s * 15), (4, 4, s * 19))))[0] for s in (1, -1))

    assert up.between == ("L1", "L2")
    assert down.between == ("L2", "L3")


def test_cement_that_passed_through_a_disc_into_the_neighbour_stays_one_diskal_leak() -> None:
    (leak,) = leaks(join(DEEP, cord([(0, 0, 8), (0, 0, 15)], 4), block((-5, -5, 13), (5, 5, 26))))

    assert leak.type is LeakType.DISKAL
    assert leak.volume_ml == pytest.approx(1.3, rel=0.05)


def test_a_curved_cord_beside_the_body_is_a_vein_and_a_straight_one_through_the_pedicle_a_track() -> None:
    vein = cord([(10, 0, 0), (24, 0, 0), (25.5, -8, -1), (24.5, -17, -2), (17, -19, -3)], 2.2)
    track = cord([(8, 2, 4), (15.5, 22, 5.5), (23, 42, 7), (26, 50, 7.6)], 2.6)

    assert [(k.type, k.vessel_like) for k in leaks(join(DEEP, vein))] == [(LeakType.PARAVERTEBRAL, True)]
    assert [k.type for k in leaks(join(DEEP, track))] == [LeakType.ACCESS_TRACK]


def test_a_track_between_rib_and_transverse_process_is_an_access_track() -> None:
    (leak,) = leaks(join(DEEP, cord([(12, 8, 0), (21.5, 16.5, 2), (31, 32, 3)], 2.6)))

    assert leak.type is LeakType.ACCESS_TRACK


def test_a_layer_as_thin_as_the_walls_own_error_is_no_leak_and_a_thicker_one_is() -> None:
    def layer(thickness_mm: float) -> Shape:
        return block((-8, -4, -7), (8, 16 + thickness_mm, 7))

    assert leaks(layer(0.4)) == ()
    assert [leak.type for leak in leaks(layer(1.3))] == [LeakType.EPIDURAL]


def test_a_small_leak_on_cement_that_lies_flush_has_its_own_volume_without_the_rim_beside_it() -> None:
    flush = block((-9, -9, 3), (9, 9, 13))

    (leak,) = leaks(join(flush, block((-2, -2, 13), (2, 2, 16))))

    assert leak.type is LeakType.DISKAL
    assert leak.volume_ml == pytest.approx(0.048, rel=0.25)


def test_what_crosses_canal_foramen_and_outside_in_one_piece_is_three_leaks() -> None:
    crossing = block((5, 17, -9), (26, 20, -5))

    found = {leak.type: leak.volume_ml for leak in leaks(join(DEEP, crossing))}

    assert found[LeakType.EPIDURAL] == pytest.approx(0.072, rel=0.15)
    assert found[LeakType.FORAMINAL] == pytest.approx(0.108, rel=0.15)
    assert found[LeakType.PARAVERTEBRAL] == pytest.approx(0.072, rel=0.15)


def test_a_small_part_in_the_canal_is_not_absorbed_by_a_larger_leak_in_the_foramen() -> None:
    found = leaks(join(DEEP, block((9, 17.5, -10), (19, 22, -4))))

    assert {leak.type for leak in found} == {LeakType.EPIDURAL, LeakType.FORAMINAL}


def test_pieces_that_faint_cement_connects_are_one_leak() -> None:
    vein = join(cord([(24, -8, 0), (24, -2, 0)], 2.2), cord([(24, 2.5, 0), (24, 8, 0)], 2.2))
    thread = cord([(24, -2, 0), (24, 2.5, 0)], 1.1)

    assert len(leaks(join(DEEP, vein))) == 2
    assert len(leaks(join(DEEP, vein, thread))) == 1


def test_a_thick_track_is_an_access_track_and_so_is_one_that_broke_off_from_the_bone() -> None:
    thick = cord([(19.5, 40, 7), (29, 66, 9)], 6)
    broken_off = cord([(21.5, 48, 8), (25, 58, 9)], 2.6)

    assert [leak.type for leak in leaks(join(DEEP, thick))] == [LeakType.ACCESS_TRACK]
    assert [leak.type for leak in leaks(join(DEEP, broken_off))] == [LeakType.ACCESS_TRACK]


def test_a_vein_that_an_engines_outline_has_swallowed_is_one_leak_with_its_whole_volume() -> None:
    spine = column()
    vein = cord([(23.5, -14, 0), (21.3, -6, 0), (21.3, 6, 0), (23.5, 14, 0)], 2.4)
    cement = spine.cement_of(join(DEEP, vein))

    def found(*, is_drawn: bool) -> tuple[Leak, ...]:
        middle = replace(spine.middle, is_drawn=is_drawn)
        unsure = replace(
            spine.spine, vertebrae=tuple(middle if v is spine.middle else v for v in spine.spine.vertebrae)
        )
        return measure_leaks(cement, unsure, spine.volume_with(cement)).leaks[L2]

    (leak,) = found(is_drawn=False)
    assert leak.volume_ml == pytest.approx(spine.volume_ml(vein), rel=0.15)
    assert sum(k.volume_ml for k in found(is_drawn=True)) < 0.8 * leak.volume_ml


FILM_ON_THE_SIDE = block((22, -8, -6), (23.0, 8, 6))


def film_on_bone(film: Shape = FILM_ON_THE_SIDE) -> tuple[Cement, Volume, Volume]:
    """Return cement with a film on bone, in a scan as it is, and in one whose bone is as bright as cement."""
    spine = column()
    cement = spine.cement_of(join(DEEP, film))
    volume = spine.volume_with(cement)
    dense = volume.hu.copy()
    above = spine.spine.vertebrae[0].body
    dense[above.box.slices][above.voxels] = 3000
    return cement, volume, Volume(dense, volume.grid)


def test_a_film_no_brighter_than_cortex_on_bone_is_only_possible() -> None:
    cement, volume, dense = film_on_bone()

    (bright,) = measure_leaks(cement, column().spine, volume).leaks[L2]
    (dim,) = measure_leaks(cement, column().spine, dense).leaks[L2]

    assert bright.certainty is Certainty.DEFINITE
    assert dim.certainty is Certainty.POSSIBLE


@pytest.mark.parametrize(
    ("film", "certainty"),
    [
        pytest.param(block((22, -8, -6), (23.9, 8, 6)), Certainty.DEFINITE, id="on the side"),
        pytest.param(block((-8, -8, 13), (8, 8, 14.9)), Certainty.POSSIBLE, id="in the disc"),
        pytest.param(block((-8, -8, 13), (8, 8, 16.5)), Certainty.DEFINITE, id="in the disc, thicker"),
    ],
)
def test_endplates_are_trusted_less_than_walls(film: Shape, certainty: Certainty) -> None:
    """A film of 2 mm, no brighter than cortex, may be cortex that an endplate drawn flat leaves out."""
    cement, _, dense = film_on_bone(film)

    (leak,) = measure_leaks(cement, column().spine, dense).leaks[L2]

    assert leak.certainty is certainty


def test_what_reaches_from_endplate_to_endplate_is_no_cortex(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a low disc all of it lies near to one endplate or the other."""
    monkeypatch.setattr(leak_certainty, "NEAR_ENDPLATE_MM", DISC_MM / 2 + 0.5)
    cement, _, dense = film_on_bone(block((-8, -8, 13), (8, 8, 13 + DISC_MM)))

    (leak,) = measure_leaks(cement, column().spine, dense).leaks[L2]

    assert leak.certainty is Certainty.DEFINITE


def test_a_film_on_bone_that_was_not_there_before_injection_is_no_cortex() -> None:
    cement, _, dense = film_on_bone()

    def certainty(new: BoolArray) -> Certainty:
        (leak,) = measure_leaks(replace(cement, new=new), column().spine, dense).leaks[L2]
        return leak.certainty

    assert certainty(cement.fraction > 0) is Certainty.DEFINITE
    assert certainty(np.zeros_like(cement.region)) is Certainty.POSSIBLE


def test_a_cord_that_passes_the_body_by_is_no_access_track() -> None:
    (leak,) = leaks(join(DEEP, cord([(23.5, 14, -12), (23.5, 22, 12)], 2.4)))

    assert leak.type is LeakType.PARAVERTEBRAL


def test_a_streak_like_deposit_is_never_definite() -> None:
    spine = column()
    cement = spine.cement_of(join(DEEP, block((2, 18, -8), (8, 21, 8))))
    faint = replace(cement, properties=tuple(replace(p, streak_like=True) for p in cement.properties))

    (leak,) = measure_leaks(faint, spine.spine, spine.volume_with(cement)).leaks[L2]

    assert leak.certainty is Certainty.POSSIBLE


def test_the_canal_area_share_is_the_leaks_share_of_the_cross_section() -> None:
    (leak,) = leaks(join(DEEP, block((-5, 17, -8), (5, 21, 8))))

    # 10 by 4 mm of 22 by 16 mm.
    assert leak.canal_area_share == pytest.approx(40 / 352, rel=0.1)
    assert leak.thickness_mm == pytest.approx(4.0, abs=0.4)


def test_where_the_header_contradicts_the_anatomy_sides_are_not_given() -> None:
    spine = column()
    turned = replace(spine.spine, orientation_contradicts_anatomy=True)
    cement = spine.cement_of(join(DEEP, block((13, 18, -10), (18, 24, -4))))

    (leak,) = measure_leaks(cement, turned, spine.volume_with(cement)).leaks[L2]

    assert leak.side is None


def test_a_leak_at_the_edge_of_the_scan_is_flagged() -> None:
    spine = column()
    cement = spine.cement_of(join(DEEP, block((22, -6, -4), (40, 6, 4))))

    found = measure_leaks(cement, spine.spine, spine.volume_with(cement))

    assert Flag.LEAK_CUT_BY_SCAN_EDGE in {flag.flag for flag in found.flags[L2]}


def test_the_label_map_carries_the_leak_types() -> None:
    found = findings(join(DEEP, block((-5, -5, 15), (5, 5, 19)), block((2, 17, -8), (8, 20, 8))))

    assert set(np.unique(found.labels)) == {0, LeakType.DISKAL.number, LeakType.EPIDURAL.number}
