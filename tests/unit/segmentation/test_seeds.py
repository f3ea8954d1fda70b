"""Seeds: what is cement beyond doubt, and which vertebrae were treated."""

from __future__ import annotations

import numpy as np

from cementct.core.arrays import BoolArray
from cementct.core.image import Volume
from cementct.segmentation.before import EarlierScan
from cementct.segmentation.cement.scene import Scene, view_scene
from cementct.segmentation.cement.screening import suspicious_vertebrae
from cementct.segmentation.cement.seeds import Seeds, find_seeds
from cementct.segmentation.cement.surroundings import describe_surroundings
from cementct.testing.block_spine import (
    BONE_HU,
    DISC_MM,
    HALF_MM,
    BlockSpine,
    Shape,
    ball,
    block,
    build_block_spine,
)

NOISE_HU = 15.0
SPACING_MM = (1.25, 0.8, 0.8)


def scan(spine: BlockSpine, *pieces: tuple[Shape, float]) -> Scene:
    """Return the scene of a block spine that holds pieces of the given intensities, the last uppermost."""
    hu = np.full(spine.spine.grid.shape, 40.0)
    for vertebra in spine.spine.vertebrae:
        hu[vertebra.whole.box.slices][vertebra.whole.voxels] = BONE_HU
    for shape, opacity in pieces:
        cement = spine.cement_of(shape)
        here = hu[cement.box.slices]
        here += cement.fraction * (opacity - here)
    hu += np.random.default_rng(0).normal(0.0, NOISE_HU, hu.shape)
    volume = Volume(np.round(hu).astype(np.int16), spine.spine.grid)
    return view_scene(volume, volume.grid.box)


def seeds_in(scene: Scene, spine: BlockSpine, before: Scene | None = None) -> Seeds:
    nothing = np.zeros(scene.hu.shape, dtype=np.bool_)
    earlier = None if before is None else EarlierScan(before.box, before.hu)
    return find_seeds(scene, describe_surroundings(scene, spine.spine, earlier), excluded=nothing)


def inside_of(shape: Shape, scene: Scene, spine: BlockSpine) -> BoolArray:
    """Return the voxels that a shape fills."""
    cement = spine.cement_of(shape)
    full = np.zeros(scene.hu.shape, dtype=np.bool_)
    full[cement.box.slices] = cement.fraction > 0.99
    return full


def test_a_mass_that_is_denser_in_one_half_is_a_seed_as_a_whole() -> None:
    spine = build_block_spine(SPACING_MM)
    whole = ball((0.0, -2.0, 0.0), 9.5)
    scene = scan(spine, (whole, 960.0), (ball((4.0, -2.0, 0.0), 6.0), 1180.0))
    found = seeds_in(scene, spine)
    assert found.treated == (spine.middle.number,)
    assert found.mask[inside_of(whole, scene, spine)].mean() > 0.95


def test_a_mass_thicker_than_cortex_is_cement_though_it_lies_against_the_wall() -> None:
    spine = build_block_spine(SPACING_MM)
    scene = scan(spine, (ball((18.0, -2.0, 0.0), 7.5), 1000.0))
    assert seeds_in(scene, spine).treated == (spine.middle.number,)


def test_a_small_mass_is_cement_where_a_large_one_in_another_body_is_as_opaque() -> None:
    spine = build_block_spine(SPACING_MM)
    above, middle = (v.number for v in spine.spine.vertebrae[:2])
    large, small = ball((0.0, -2.0, 0.0), 9.0), ball((0.0, -2.0, 2 * HALF_MM[2] + DISC_MM), 5.0)

    def treated(*pieces: tuple[Shape, float]) -> tuple[int, ...]:
        return seeds_in(scan(spine, *pieces), spine).treated

    assert treated((large, 1300.0), (small, 1300.0)) == (above, middle)
    # Else it is as likely a bone island.
    assert treated((small, 1300.0)) == ()
    assert treated((large, 2400.0), (small, 1300.0)) == (middle,)


def test_a_thin_layer_of_dense_bone_under_the_endplate_is_none() -> None:
    spine = build_block_spine(SPACING_MM)
    scene = scan(spine, (block((-18.0, -12.0, 9.5), (18.0, 12.0, 13.0)), 1000.0))
    assert seeds_in(scene, spine).treated == ()


def test_a_cage_in_a_disc_is_no_cement_though_the_bodies_are_drawn_two_millimetres_into_it() -> None:
    spine = build_block_spine(SPACING_MM)
    top = HALF_MM[2]
    bars = [block((left, -8.0, top - 2.0), (left + 4.0, 8.0, top + DISC_MM + 2.0)) for left in (-10.0, 6.0)]
    scene = scan(spine, *((bar, 3071.0) for bar in bars))
    found = seeds_in(scene, spine)
    assert found.treated == ()
    assert not found.mask.any()


def test_cement_that_fills_a_disc_from_the_middle_of_a_body_is_a_seed() -> None:
    spine = build_block_spine(SPACING_MM)
    top = HALF_MM[2]
    deposit, leak = ball((0.0, 0.0, 5.0), 6.0), block((-10.0, -8.0, top - 5.0), (10.0, 8.0, top + DISC_MM))
    found = seeds_in(scan(spine, (deposit, 3000.0), (leak, 3000.0)), spine)
    assert spine.middle.number in found.treated


def test_a_cage_beside_a_treated_vertebra_leaves_that_its_seeds() -> None:
    spine = build_block_spine(SPACING_MM)
    top = HALF_MM[2]
    cage = block((-10.0, -8.0, top - 1.0), (10.0, 8.0, top + DISC_MM + 1.0))
    scene = scan(spine, (cage, 3071.0), (ball((0.0, -2.0, -4.0), 6.0), 2200.0))
    assert seeds_in(scene, spine).treated == (spine.middle.number,)


def test_a_deposit_along_the_side_wall_that_leaks_into_the_disc_is_no_cage() -> None:
    spine = build_block_spine(SPACING_MM)
    top = HALF_MM[2]
    along_wall = block((18.5, -6.0, top - 9.0), (21.5, 6.0, top + DISC_MM))
    assert spine.middle.number in seeds_in(scan(spine, (along_wall, 3000.0)), spine).treated


def test_the_edge_of_opaque_cement_of_old_that_was_carried_a_little_aside_is_no_seed() -> None:
    spine = build_block_spine(SPACING_MM)
    before = scan(spine, (ball((3.5, -2.4, 0.3), 9.0), 3600.0))
    now = scan(spine, (ball((3.0, -2.0, 0.0), 9.0), 3600.0))
    assert seeds_in(now, spine).treated == (spine.middle.number,)
    assert seeds_in(now, spine, before).treated == ()


def test_new_cement_that_grew_on_cement_of_old_is_a_seed() -> None:
    spine = build_block_spine(SPACING_MM)
    old, new = ball((8.0, -2.0, 0.0), 6.0), ball((-3.0, -2.0, 0.0), 6.0)
    found = seeds_in(scan(spine, (old, 3600.0), (new, 2400.0)), spine, scan(spine, (old, 3600.0)))
    assert found.treated == (spine.middle.number,)


def test_a_mass_as_faint_as_sclerosis_is_cement_where_it_was_not_there_before() -> None:
    spine = build_block_spine(SPACING_MM)
    mass = ball((0.0, -2.0, 0.0), 8.0)
    now, before = scan(spine, (mass, 620.0)), scan(spine)
    assert seeds_in(now, spine, before).treated == (spine.middle.number,)
    assert seeds_in(now, spine).treated == ()
    assert seeds_in(now, spine, now).treated == ()


def test_an_endplate_that_was_raised_is_no_faint_cement() -> None:
    spine = build_block_spine(SPACING_MM)
    raised = block((-18.0, -12.0, 7.0), (18.0, 12.0, 10.5))
    assert seeds_in(scan(spine, (raised, 620.0)), spine, scan(spine)).treated == ()


def test_the_first_look_takes_what_is_new_for_suspicious_from_half_as_dense_on() -> None:
    spine = build_block_spine(SPACING_MM)
    now, before = scan(spine, (ball((0.0, -2.0, 0.0), 8.0), 620.0)), scan(spine)
    volume = Volume(now.hu.astype(np.int16), now.grid)
    assert suspicious_vertebrae(volume, spine.spine) == ()
    earlier = EarlierScan(before.box, before.hu)
    assert suspicious_vertebrae(volume, spine.spine, earlier) == (spine.middle.number,)
