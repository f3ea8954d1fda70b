"""Which dense pieces beside treated bone are cement: told from piece by piece, without a patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.distances import Closeness
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.segmentation.cement.bone_edges import contact_of
from cementct.segmentation.cement.fields import Nearness
from cementct.segmentation.cement.other_bone import find_other_bone
from cementct.segmentation.cement.piece import PieceFeatures
from cementct.segmentation.cement.piece_features import come_nearer
from cementct.segmentation.cement.piece_model import probability_of_cement
from cementct.segmentation.cement.piece_rules import is_cement, least_probability
from cementct.segmentation.cement.scene import Scene, view_scene
from cementct.segmentation.cement.surroundings import Surroundings

SHAPE = (40, 40, 40)
BRIGHT_HU = 1700.0
NOTHING = np.zeros(SHAPE, dtype=np.bool_)

# A dilute cord beside the body, 4 mm from cement, in fat.
CORD = PieceFeatures(
    rise_since_before=0.0,
    length_mm=12.0,
    outshines_sources=False,
    bone_is_drawn=True,
    voxels=200,
    bright_voxels=0,
    volume_ml=0.10,
    mass_ml=0.05,
    peak_excess_hu=800.0,
    share_canal=0.0,
    share_neural=0.0,
    share_disc=0.0,
    share_bone=0.0,
    share_treated_bone=0.0,
    share_other=0.0,
    mean_bone_depth_mm=-4.0,
    share_free=1.0,
    gap_to_seeds_mm=4.0,
    gap_to_treated_mm=1.0,
    gap_to_body_mm=1.0,
    is_next_to_cement=False,
    reach_away_mm=6.0,
    is_behind=False,
    thickness_mm=1.5,
    in_neighbour_body=0.0,
    hollow_share=0.0,
    share_of_source=0.4,
    share_of_cortex=0.8,
    bone_contact=0.0,
    soft_contact=0.8,
    share_known=0.0,
    at_scan_edge=False,
    coarsest_mm=1.0,
    like_other_side=0.05,
    like_other_levels=0.05,
    on_a_needles_way=False,
)


def test_a_dilute_cord_near_cement_is_cement() -> None:
    assert is_cement(CORD)


def test_a_piece_against_bone_that_repeats_itself_is_the_edge_of_bone() -> None:
    edge = replace(
        CORD,
        bone_contact=0.5,
        soft_contact=0.2,
        share_free=0.3,
        reach_away_mm=1.5,
        mean_bone_depth_mm=-1.0,
        peak_excess_hu=450.0,
        share_of_source=0.25,
        share_of_cortex=0.6,
        gap_to_seeds_mm=12.0,
        like_other_side=1.0,
        like_other_levels=1.0,
    )

    assert not is_cement(edge)


def test_beside_bone_that_an_engine_outlined_cement_has_to_be_likelier() -> None:
    # The cortex of an endplate's flaring rim that an outline left outside.
    rim = replace(
        CORD,
        volume_ml=0.023,
        voxels=129,
        mass_ml=0.01,
        gap_to_seeds_mm=16.1,
        gap_to_treated_mm=2.8,
        gap_to_body_mm=2.8,
        reach_away_mm=5.6,
        thickness_mm=1.3,
        share_of_cortex=0.91,
        soft_contact=0.18,
        like_other_side=0.72,
        like_other_levels=1.09,
    )

    assert not is_cement(replace(rim, bone_is_drawn=False))
    assert is_cement(replace(rim, bone_is_drawn=True))
    # Thicker slices hardly show it.
    assert is_cement(replace(rim, bone_is_drawn=False, coarsest_mm=2.3))
    # No cortex has so much soft tissue around it.
    assert is_cement(replace(rim, bone_is_drawn=False, soft_contact=0.7))
    assert is_cement(replace(CORD, bone_is_drawn=False))


def test_an_earlier_scan_that_shows_something_as_bright_nearby_tells_nothing_of_soft_tissue() -> None:
    known = replace(CORD, share_known=1.0)
    moved = replace(known, rise_since_before=-100.0)
    assert least_probability(known) < least_probability(CORD)
    assert least_probability(moved) == least_probability(CORD)
    # Beside bone what was bright before is the bone.
    assert least_probability(replace(moved, bone_contact=0.3)) == least_probability(known)


def test_a_faint_cord_far_from_cement_is_cement_on_a_needles_way_only() -> None:
    far = replace(
        CORD, gap_to_seeds_mm=35.0, gap_to_treated_mm=14.0, peak_excess_hu=520.0, share_of_source=0.17
    )

    assert not is_cement(far)
    assert is_cement(replace(far, on_a_needles_way=True))
    assert not is_cement(replace(far, on_a_needles_way=True, like_other_side=1.0))
    assert not is_cement(replace(far, on_a_needles_way=True, volume_ml=0.03))
    film = replace(far, on_a_needles_way=True, peak_excess_hu=200.0, share_of_source=0.08)
    assert not is_cement(film)


# The same away from cement and bone, as bright as cement in bone.
APART = replace(CORD, gap_to_seeds_mm=9.0, gap_to_treated_mm=6.0, bright_voxels=40, share_of_source=1.0)


def test_what_lies_thick_in_a_disc_is_no_bare_endplate() -> None:
    in_disc = replace(CORD, share_disc=1.0, bone_is_drawn=False, soft_contact=0.1, bone_contact=0.5)
    thin, thick = replace(in_disc, thickness_mm=1.5), replace(in_disc, thickness_mm=3.0)
    assert least_probability(thick) < least_probability(thin)


@pytest.mark.parametrize(
    "change", [{"outshines_sources": True}, {"volume_ml": 1.2, "voxels": 2400}, {"length_mm": 60.0}]
)
def test_what_outshines_cement_in_bone_or_is_too_large_apart_from_it_is_foreign(
    change: dict[str, object],
) -> None:
    assert is_cement(APART)
    assert not is_cement(replace(APART, **change))
    # In canal and disc lie neither clips nor ureters.
    assert is_cement(replace(APART, share_neural=1.0, share_canal=1.0, **change))
    assert is_cement(replace(APART, share_disc=1.0, **change))


def test_what_an_earlier_scan_shows_to_be_new_may_outshine_cement_in_bone() -> None:
    assert is_cement(replace(APART, outshines_sources=True, rise_since_before=900.0))
    # Urine with contrast is new as well.
    assert not is_cement(replace(APART, length_mm=60.0, rise_since_before=900.0))


def test_what_hangs_on_cement_may_be_brighter_and_as_large_as_it_likes() -> None:
    assert is_cement(replace(APART, gap_to_seeds_mm=2.0, is_next_to_cement=True, outshines_sources=True))
    assert is_cement(replace(APART, gap_to_seeds_mm=2.0, volume_ml=1.2, length_mm=60.0))


def test_a_wide_piece_that_is_fainter_than_any_cement_is_a_streak() -> None:
    # Between filled pedicles, in the middle of the canal: bright enough beside what an earlier scan shows.
    wide = replace(
        CORD, share_canal=1.0, share_neural=1.0, volume_ml=0.8, voxels=1000, thickness_mm=2.4, share_known=1.0
    )
    faint = replace(wide, peak_excess_hu=390.0, share_of_source=0.15)

    assert is_cement(replace(wide, peak_excess_hu=500.0))
    assert is_cement(replace(faint, thickness_mm=1.5))
    assert is_cement(replace(faint, coarsest_mm=3.0))
    assert not is_cement(faint)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ("bone_contact", 0.6),
        ("gap_to_seeds_mm", 30.0),
        ("like_other_side", 1.2),
        ("like_other_levels", 1.2),
        ("at_scan_edge", True),
        ("hollow_share", 0.5),
    ],
)
def test_what_speaks_for_bone_never_makes_cement_likelier(change: str, more: float) -> None:
    assert probability_of_cement(replace(CORD, **{change: more})) <= probability_of_cement(CORD)


@given(
    peak=st.floats(150, 2500),
    brighter=st.floats(1.0, 2.0),
    contact=st.floats(0, 1),
    gap=st.floats(0.3, 50),
    like=st.floats(0, 1.5),
)
def test_a_brighter_piece_is_never_less_likely_cement(
    peak: float, brighter: float, contact: float, gap: float, like: float
) -> None:
    piece = replace(
        CORD,
        peak_excess_hu=peak,
        share_of_source=peak / 2000,
        share_of_cortex=peak / 1000,
        bone_contact=contact,
        soft_contact=1 - contact,
        gap_to_seeds_mm=gap,
        like_other_side=like,
        like_other_levels=like,
    )
    other = replace(
        piece,
        peak_excess_hu=peak * brighter,
        share_of_source=peak * brighter / 2000,
        share_of_cortex=peak * brighter / 1000,
    )

    assert probability_of_cement(other) >= probability_of_cement(piece) - 1e-12


def test_less_will_do_where_an_earlier_scan_shows_what_was_there() -> None:
    cord = replace(
        CORD,
        gap_to_seeds_mm=16.0,
        peak_excess_hu=600.0,
        share_of_source=0.3,
        share_of_cortex=0.6,
        bone_contact=0.4,
        soft_contact=0.4,
        share_free=0.6,
        mean_bone_depth_mm=-2.0,
        reach_away_mm=3.0,
        like_other_levels=0.5,
    )

    assert 0.2 <= probability_of_cement(replace(cord, share_known=1.0)) < 0.45
    assert is_cement(replace(cord, share_known=1.0))
    assert not is_cement(cord)


def test_a_film_as_faint_as_a_streak_is_no_cement() -> None:
    film = replace(CORD, share_canal=1.0, share_neural=1.0, peak_excess_hu=200.0, share_of_source=0.08)

    assert not is_cement(film)


def test_one_large_voxel_brighter_than_bone_is_cement_and_one_small_one_is_noise() -> None:
    large = replace(CORD, voxels=2, bright_voxels=1, volume_ml=0.054, bone_contact=0.4, soft_contact=0.3)

    assert is_cement(large)
    assert not is_cement(replace(large, volume_ml=0.002))


def test_a_shell_around_marrow_is_bone_and_an_even_rod_as_bright_is_not() -> None:
    rod = _rods(inside_hu=900.0)
    rib = _rods(inside_hu=150.0)

    assert not _other_bone(rod)[20, 20, 20]
    assert _other_bone(rib)[20, 20, 17]


def test_contact_counts_what_lies_against_a_piece() -> None:
    scene = _scene(np.zeros(SHAPE, dtype=np.float32))
    depth = np.full(SHAPE, -5.0, dtype=np.float32)
    depth[:, :20] = 1.0
    piece = np.ones((4, 4, 4), dtype=np.bool_)
    block = (slice(10, 14), slice(20, 24), slice(10, 14))

    contact = contact_of(piece, block, scene, _around(depth), other_bone=NOTHING)

    assert np.isclose(contact.bone, 1 / 6)
    assert np.isclose(contact.soft, 5 / 6)


def _rods(*, inside_hu: float) -> Float32Array:
    """Return a rod of 8 mm along the first axis, with walls of 900 HU and something inside."""
    y, x = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    from_axis = np.hypot(y - 20.0, x - 20.0) * 0.8
    plane = np.where(from_axis < 4.0, 900.0, 40.0)
    plane[from_axis < 2.4] = inside_hu
    return np.broadcast_to(plane, SHAPE).astype(np.float32)


def _other_bone(hu: Float32Array) -> BoolArray:
    around = _around(np.full(SHAPE, -20.0, dtype=np.float32))
    scene = _scene(hu)
    to_dense = Closeness(NOTHING, 6.0, scene.spacing_mm)
    return find_other_bone(
        scene, around, seeds=NOTHING, excluded=NOTHING, to_dense=to_dense, bright_hu=BRIGHT_HU
    ).where


def _scene(hu: Float32Array) -> Scene:
    grid = Grid(SHAPE, (0.8, 0.8, 0.8), (0.0, 0.0, 0.0))
    return view_scene(Volume(hu.astype(np.int16), grid), grid.box)


def _around(depth_mm: Float32Array) -> Surroundings:
    numbers = np.zeros(SHAPE, dtype=np.uint8)
    level = np.zeros(SHAPE, dtype=np.float32)
    return Surroundings(
        compartment=numbers,
        place=numbers,
        owner=numbers.astype(np.uint16),
        bone_depth_mm=depth_mm,
        expected_hu=level,
        known=NOTHING,
    )


@pytest.mark.parametrize(("gap_mm", "next_to_cement"), [(1.6, True), (3.2, False)])
def test_a_piece_is_seen_anew_beside_cement_that_came_nearer(
    gap_mm: float,
    next_to_cement: bool,  # noqa: FBT001 - parametrized
) -> None:
    scene = _scene(np.zeros(SHAPE, dtype=np.float32))
    piece, block = np.ones((2, 2, 2), dtype=np.bool_), (slice(10, 12), slice(10, 12), slice(10, 12))
    came = NOTHING.copy()
    came[10, 10, 11 + round(gap_mm / 0.8)] = True

    nearer = come_nearer(CORD, scene, piece, block, cement=Nearness(came, scene.spacing_mm))

    assert nearer is not None
    assert nearer.gap_to_seeds_mm == pytest.approx(gap_mm)
    assert nearer.is_next_to_cement is next_to_cement


def test_cement_that_came_no_nearer_changes_nothing() -> None:
    scene = _scene(np.zeros(SHAPE, dtype=np.float32))
    piece, block = np.ones((2, 2, 2), dtype=np.bool_), (slice(10, 12), slice(10, 12), slice(10, 12))
    for came in (NOTHING, np.eye(1, SHAPE[0] ** 3, dtype=np.bool_).reshape(SHAPE)):
        assert come_nearer(CORD, scene, piece, block, cement=Nearness(came, scene.spacing_mm)) is None
