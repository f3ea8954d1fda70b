"""Cement in a column of blocks: found, measured, attributed, and told from bone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cementct.core.image import Volume
from cementct.core.smoothing import blurred_along_z
from cementct.segmentation.before import EarlierScan
from cementct.segmentation.cement import segment_cement
from cementct.segmentation.model import Cement
from cementct.testing.block_spine import (
    BONE_HU,
    BlockSpine,
    Shape,
    ball,
    block,
    build_block_spine,
    cord,
    join,
)

NOISE_HU = 18.0
# Of a blurred ball in noise: an estimator that knows nothing of the truth.
RELATIVE_TOLERANCE = 0.03


@cache
def blocks() -> BlockSpine:
    return build_block_spine((1.25, 0.8, 0.8))


def scan(*pieces: tuple[Shape, float], clip_hu: float | None = None, seed: int = 0) -> Volume:
    """Return the block spine with blurred pieces of the given intensities, noise and a clip."""
    spine = blocks()
    hu = spine.volume_with(spine.cement_of(ball((0.0, 0.0, 0.0), 1.0))).hu.astype(np.float64)
    for vertebra in spine.spine.vertebrae:
        hu[vertebra.whole.box.slices][vertebra.whole.voxels] = BONE_HU
    for shape, opacity in pieces:
        cement = spine.cement_of(shape)
        here = hu[cement.box.slices]
        here += cement.fraction * (opacity - here)
    hu += np.random.default_rng(seed).normal(0.0, NOISE_HU, hu.shape)
    if clip_hu is not None:
        hu = np.minimum(hu, clip_hu)
    return Volume(np.round(hu).astype(np.int16), spine.spine.grid)


def total_ml(cement: Cement) -> float:
    return float(cement.fraction.sum(dtype=np.float64)) * blocks().spine.grid.voxel_ml


@pytest.mark.parametrize("opacity_hu", [950.0, 1600.0, 2600.0])
def test_a_ball_of_cement_has_its_volume_at_any_opacity(opacity_hu: float) -> None:
    shape = ball((3.0, -2.0, 0.0), 8.0)
    cement = segment_cement(scan((shape, opacity_hu)), blocks().spine)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(shape), rel=RELATIVE_TOLERANCE)


def test_a_clipped_ball_keeps_its_volume_and_says_so() -> None:
    shape = ball((3.0, -2.0, 0.0), 8.0)
    cement = segment_cement(scan((shape, 4500.0), clip_hu=3071.0), blocks().spine)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(shape), rel=0.05)
    assert cement.properties[0].clipped
    number = blocks().middle.number
    assert [f.flag.value for f in cement.flags[number]] == ["hu-clipped"]


def test_bone_alone_holds_no_cement() -> None:
    cement = segment_cement(scan(), blocks().spine)
    assert not cement.fraction.any()
    assert cement.properties == ()


def test_a_bone_island_is_not_cement() -> None:
    island = ball((12.0, -9.0, 4.0), 3.5)
    assert not segment_cement(scan((island, 1190.0)), blocks().spine).fraction.any()


def test_dense_calcification_before_the_spine_is_not_cement() -> None:
    plate = ball((5.0, -25.0, 0.0), 2.5)
    assert not segment_cement(scan((plate, 1100.0)), blocks().spine).fraction.any()


def test_cement_belongs_to_the_vertebra_it_lies_in() -> None:
    cement = segment_cement(scan((ball((3.0, -2.0, 0.0), 7.0), 2000.0)), blocks().spine)
    assert set(np.unique(cement.owner)) == {0, blocks().middle.number}


def test_a_thin_epidural_cord_is_found_and_measured_with_the_opacity_of_its_source() -> None:
    leak = cord([(4.0, 19.0, -8.0), (4.0, 19.0, 8.0)], 2.0)
    both = join(ball((0.0, 0.0, 0.0), 8.0), leak)
    cement = segment_cement(scan((both, 2000.0)), blocks().spine)
    small = min(cement.properties, key=lambda d: d.volume_ml)
    assert len(cement.properties) == 2
    assert small.owner == blocks().middle.number
    assert small.volume_ml == pytest.approx(blocks().volume_ml(leak), rel=0.15)
    assert not small.streak_like


def test_cement_that_was_there_before_counts_nowhere_and_is_reported() -> None:
    old = scan((ball((3.0, -2.0, 0.0), 7.0), 2000.0), seed=1)
    now = scan((ball((3.0, -2.0, 0.0), 7.0), 2000.0), seed=2)
    grid = blocks().spine.grid
    earlier = EarlierScan(grid.box, old.hu.astype(np.float32))
    cement = segment_cement(now, blocks().spine, earlier=earlier)
    assert not cement.fraction.any()
    assert [f.flag.value for f in cement.flags[blocks().middle.number]] == ["old-cement"]


def test_new_cement_beside_cement_of_old_makes_a_treated_vertebra() -> None:
    old, new = ball((8.0, -2.0, 0.0), 6.0), ball((-8.0, -2.0, 0.0), 6.0)
    earlier = EarlierScan(blocks().spine.grid.box, scan((old, 3000.0), seed=1).hu.astype(np.float32))
    cement = segment_cement(scan((join(old, new), 3000.0), seed=2), blocks().spine, earlier=earlier)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(new), rel=0.05)
    assert "old-cement" in {f.flag.value for f in cement.flags[blocks().middle.number]}


def test_with_an_earlier_scan_even_faint_cement_is_found() -> None:
    shape = ball((3.0, -2.0, 0.0), 5.5)
    earlier = EarlierScan(blocks().spine.grid.box, scan(seed=1).hu.astype(np.float32))
    cement = segment_cement(scan((shape, 800.0), seed=2), blocks().spine, earlier=earlier)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(shape), rel=0.05)


def test_bone_that_an_earlier_scan_shows_a_little_softer_and_aside_is_no_cement() -> None:
    source = ball((3.0, -2.0, 0.0), 7.0)
    spur = cord([(30.0, 10.0, -6.0), (30.0, 10.0, 6.0)], 3.0)
    before = cord([(30.4, 10.4, -6.0), (30.4, 10.4, 6.0)], 3.0)
    grid = blocks().spine.grid
    earlier = EarlierScan(grid.box, scan((before, 650.0), seed=1).hu.astype(np.float32))
    cement = segment_cement(scan((source, 2000.0), (spur, 850.0), seed=2), blocks().spine, earlier=earlier)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(source), rel=RELATIVE_TOLERANCE)


def test_a_new_cord_in_soft_tissue_is_found_though_an_earlier_scan_is_known() -> None:
    source = ball((3.0, -2.0, 0.0), 7.0)
    leak = cord([(4.0, 19.0, -8.0), (4.0, 19.0, 8.0)], 2.0)
    earlier = EarlierScan(blocks().spine.grid.box, scan(seed=1).hu.astype(np.float32))
    cement = segment_cement(scan((join(source, leak), 2000.0), seed=2), blocks().spine, earlier=earlier)
    small = min(cement.properties, key=lambda d: d.volume_ml)
    assert len(cement.properties) == 2
    assert small.volume_ml == pytest.approx(blocks().volume_ml(leak), rel=0.25)
    assert cement.new is not None
    assert cement.new[cement.region].mean() > 0.9


def test_what_is_new_is_known_only_with_an_earlier_scan() -> None:
    assert segment_cement(scan((ball((3.0, -2.0, 0.0), 7.0), 2000.0), seed=2), blocks().spine).new is None


@pytest.mark.parametrize(("opacity_hu", "deposits"), [(2000.0, 2), (4500.0, 1)])
def test_what_lies_apart_and_is_brighter_than_cement_in_bone_is_metal(
    opacity_hu: float, deposits: int
) -> None:
    clip = cord([(33.0, -12.0, -4.0), (33.0, -12.0, 4.0)], 3.0)
    cement = segment_cement(scan((ball((0.0, 0.0, 0.0), 9.0), 2000.0), (clip, opacity_hu)), blocks().spine)
    assert len(cement.properties) == deposits


@pytest.mark.parametrize(("long_mm", "may_be_clip"), [(6.0, True), (20.0, False)])
def test_a_small_loose_piece_beyond_the_number_range_may_be_a_surgical_clip(
    long_mm: float, *, may_be_clip: bool
) -> None:
    loose = cord([(33.0, -12.0, -long_mm / 2), (33.0, -12.0, long_mm / 2)], 2.5)
    body = ball((0.0, 0.0, 0.0), 9.0)
    cement = segment_cement(scan((body, 4500.0), (loose, 9000.0), clip_hu=3071.0), blocks().spine)
    assert len(cement.properties) == 2
    assert min(cement.properties, key=lambda d: d.volume_ml).calcification_like is may_be_clip


@pytest.mark.parametrize(("top_mm", "may_be_chalk"), [(8.0, True), (13.0, False)])
def test_a_faint_lump_in_a_disc_may_be_chalk_if_cement_in_bone_is_not_near(
    top_mm: float, *, may_be_chalk: bool
) -> None:
    source = join(ball((0.0, 0.0, 0.0), 8.0), cord([(0.0, 0.0, 0.0), (0.0, 0.0, top_mm - 3.0)], 6.0))
    lump = cord([(-5.0, 0.0, 17.0), (5.0, 0.0, 17.0)], 3.0)
    cement = segment_cement(scan((source, 2000.0), (lump, 1400.0)), blocks().spine)
    assert min(cement.properties, key=lambda d: d.volume_ml).calcification_like is may_be_chalk


def test_endplates_that_thick_slices_before_hardly_showed_are_no_cement() -> None:
    source = ball((3.0, -2.0, 0.0), 7.0)
    plates = block((-14.0, -14.0, 8.6), (14.0, 10.0, 9.6))
    now = scan((source, 2000.0), (plates, 1300.0), seed=2)
    grid = blocks().spine.grid
    blur_mm = 2.5
    before = blurred_along_z(
        scan((plates, 1300.0), seed=1).hu.astype(np.float32), blur_mm / grid.spacing_mm[0]
    )
    cement = segment_cement(now, blocks().spine, earlier=EarlierScan(grid.box, before, blur_mm))
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(source), rel=RELATIVE_TOLERANCE)


def test_gas_that_gave_way_to_fluid_is_no_cement() -> None:
    source = join(ball((3.0, -2.0, 0.0), 7.0), block((-2.0, -4.0, 0.0), (2.0, 0.0, 17.0)))
    grid = blocks().spine.grid
    gas = block((-10.0, -10.0, 15.0), (10.0, 8.0, 18.0))
    earlier = EarlierScan(grid.box, scan((gas, -700.0), seed=1).hu.astype(np.float32))
    cement = segment_cement(scan((source, 2000.0), seed=2), blocks().spine, earlier=earlier)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(source), rel=RELATIVE_TOLERANCE)


def test_a_deposit_far_from_the_edges_of_the_scan_does_not_reach_them() -> None:
    cement = segment_cement(scan((ball((3.0, -2.0, 0.0), 7.0), 2000.0)), blocks().spine)
    assert not any(d.at_scan_edge for d in cement.properties)


def test_cement_far_denser_than_the_clip_keeps_its_border() -> None:
    shape = ball((3.0, -2.0, 0.0), 8.0)
    cement = segment_cement(scan((shape, 6800.0), clip_hu=3071.0), blocks().spine)
    assert total_ml(cement) == pytest.approx(blocks().volume_ml(shape), rel=0.10)


def test_the_same_volume_gives_the_same_cement() -> None:
    volume = scan((ball((3.0, -2.0, 0.0), 6.0), 2000.0))
    first, second = (segment_cement(volume, blocks().spine) for _ in range(2))
    np.testing.assert_array_equal(first.fraction, second.fraction)
    assert first.properties == second.properties
