"""Metal is told from cement by its shape: straight, even, from the skin or with a head, or hollow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.grid import Grid, Triple
from cementct.segmentation.metal import find_metal
from cementct.segmentation.metal.tools import HEAD_ALONG_MM, _end_of_head_mm
from cementct.segmentation.model import ForeignBody, ForeignKind

# A block of a back: x to the left, y to the back, z to the head; muscle, marrow, air behind the skin.
SHAPE_MM = (60.0, 120.0, 90.0)
SKIN_MM = 110.0
METAL_HU, CLIP_HU, CEMENT_HU = 9000.0, 3071.0, 4500.0
BLUR_MM = 0.5
Point = tuple[float, float, float]


class Back:
    """A block of CT to draw in, millimetres from its corner in the order x, y, z."""

    def __init__(self, spacing_mm: Triple = (1.0, 0.8, 0.8)) -> None:
        shape = tuple(round(n / s) for n, s in zip(SHAPE_MM, spacing_mm, strict=True))
        self.grid = Grid((shape[0], shape[1], shape[2]), spacing_mm, (0.0, 0.0, 0.0))
        index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
        self.at = self.grid.to_lps(index)
        self.hu = np.full(shape, 50.0)
        self.fill(self.ball((45.0, 35.0, 30.0), 18.0), 180.0)
        self.fill(self.at[..., 1] > SKIN_MM, -1000.0)

    def ball(self, centre: Point, radius_mm: float) -> BoolArray:
        return np.asarray(np.linalg.norm(self.at - np.asarray(centre), axis=-1) < radius_mm)

    def cord(self, points: Sequence[Point], diameter_mm: float) -> BoolArray:
        found = np.zeros(self.hu.shape, dtype=np.bool_)
        for a, b in zip(np.asarray(points[:-1]), np.asarray(points[1:]), strict=True):
            way = b - a
            share = np.clip(((self.at - a) @ way) / (way @ way), 0.0, 1.0)
            found |= np.linalg.norm(self.at - a - share[..., None] * way, axis=-1) < diameter_mm / 2
        return found

    def fill(self, where: BoolArray, hu: float) -> None:
        self.hu[where] = hu

    def scan(self) -> Float32Array:
        blurred = ndimage.gaussian_filter(self.hu, [BLUR_MM / s for s in self.grid.spacing_mm])
        noise = np.random.default_rng(0).normal(0.0, 15.0, blurred.shape)
        return np.minimum(blurred + noise, CLIP_HU).astype(np.float32)

    def metal(self) -> tuple[ForeignBody, ...]:
        return find_metal(self.scan(), self.grid, self.grid.box)


def volume_ml(back: Back, body: ForeignBody) -> float:
    return body.region.count * back.grid.voxel_ml


NEEDLE: tuple[Point, Point] = ((40.0, 38.0, 32.0), (20.0, 119.0, 38.0))
SCREW: tuple[Point, Point] = ((42.0, 34.0, 30.0), (30.0, 77.0, 33.0))


@pytest.mark.parametrize("slice_mm", [0.8, 1.5, 2.5])
def test_a_needle_from_the_skin_is_found_with_its_tip_and_its_way(slice_mm: float) -> None:
    back = Back((slice_mm, 0.8, 0.8))
    back.fill(back.cord(NEEDLE, 2.4), METAL_HU)
    needle = back.metal()[0]
    assert needle.kind is ForeignKind.NEEDLE
    assert needle.tip_lps_mm == pytest.approx(NEEDLE[0], abs=3.0)
    way = np.subtract(NEEDLE[1], NEEDLE[0])
    assert np.asarray(needle.direction_lps) @ way / np.linalg.norm(way) > 0.999


def test_a_clipped_screw_through_clipped_cement_is_the_screw_alone() -> None:
    back = Back()
    back.fill(back.ball((45.0, 30.0, 30.0), 12.0), CEMENT_HU)
    shaft, head = back.cord(SCREW, 5.5), back.ball(SCREW[1], 6.0)
    back.fill(shaft | head, METAL_HU)
    screws = [b for b in back.metal() if b.kind is ForeignKind.SCREW]
    assert len(screws) == 1
    true_ml = np.count_nonzero(shaft | head) * back.grid.voxel_ml
    assert volume_ml(back, screws[0]) == pytest.approx(true_ml, rel=0.25)
    found = screws[0].region.in_box(back.grid.box)
    assert np.mean(found[shaft]) > 0.85
    cement = back.ball((45.0, 30.0, 30.0), 12.0) & ~shaft
    assert np.mean(found[cement]) < 0.02


@pytest.mark.parametrize(
    ("bright_to_mm", "also_mm", "end_mm"),
    [(6.0, (), 6.0), (15.0, (), 15.0), (15.0, (19.0, 19.5), 15.0), (6.0, (12.0, 12.5), 6.0)],
    ids=["a ball", "a tulip", "a tulip and something behind it", "a ball and something behind it"],
)
def test_a_head_ends_where_what_is_bright_breaks_off(bright_to_mm, also_mm, end_mm) -> None:
    bright = np.append(np.arange(-4.0, bright_to_mm, 0.1), also_mm)
    found = _end_of_head_mm(bright, bright[bright < HEAD_ALONG_MM[1]])
    assert found == pytest.approx(end_mm, abs=0.4)


@pytest.mark.parametrize("cement_hu", [2700.0, 2980.0])
def test_a_clipped_screw_ends_where_cement_is_not_clipped(cement_hu: float) -> None:
    back = Back()
    tip = (38.0, 48.0, 31.0)
    ball = back.ball((43.0, 36.0, 30.4), 16.0)
    back.fill(ball, cement_hu)
    shaft, head = back.cord((tip, SCREW[1]), 5.5), back.ball(SCREW[1], 6.0)
    back.fill(shaft | head, METAL_HU)
    screw = next(b for b in back.metal() if b.kind is ForeignKind.SCREW)
    way = np.subtract(SCREW[1], tip) / np.linalg.norm(np.subtract(SCREW[1], tip))
    rounded = tuple(np.asarray(tip) - 5.5 / 2 * way)
    assert screw.tip_lps_mm == pytest.approx(rounded, abs=2.5)
    found = screw.region.in_box(back.grid.box)
    assert np.mean(found[shaft]) > 0.85
    deeper = ball & ~ndimage.binary_dilation(shaft, iterations=2)
    assert not found[deeper].any()


def test_a_rod_that_hangs_on_screws_is_hardware() -> None:
    back = Back()
    for z in (15.0, 45.0):
        deep, outer = (42.0, 34.0, z), (30.0, 74.0, z)
        back.fill(back.cord((deep, outer), 5.5) | back.ball(outer, 6.0), METAL_HU)
    rod = back.cord(((30.0, 78.0, 5.0), (30.0, 78.0, 55.0)), 5.5)
    back.fill(rod, METAL_HU)
    metal = np.zeros(back.hu.shape, dtype=np.bool_)
    for body in back.metal():
        metal |= body.region.in_box(back.grid.box)
    assert np.mean(metal[rod]) > 0.95


@pytest.mark.parametrize("diameter_mm", [2.0, 3.5, 5.0])
def test_a_curved_cord_of_cement_in_a_vein_is_no_metal(diameter_mm: float) -> None:
    back = Back()
    vein = [(45.0, 20.0, 20.0), (65.0, 30.0, 30.0), (66.0, 50.0, 40.0), (62.0, 70.0, 42.0)]
    back.fill(back.cord(vein, diameter_mm), CEMENT_HU)
    assert back.metal() == ()


def test_a_straight_cord_along_the_needles_way_that_ends_in_the_muscle_is_cement() -> None:
    back = Back()
    back.fill(back.ball((45.0, 30.0, 30.0), 9.0), CEMENT_HU)
    back.fill(back.cord(((42.0, 34.0, 30.0), (31.0, 72.0, 33.0)), 2.6), CEMENT_HU)
    assert back.metal() == ()


def test_a_short_straight_cord_that_the_edge_of_the_scan_cuts_is_cement() -> None:
    back = Back()
    back.fill(back.ball((45.0, 30.0, 30.0), 9.0), CEMENT_HU)
    back.fill(back.cord(((42.0, 34.0, 30.0), (30.0, 90.0, 33.0)), 2.6), CEMENT_HU)
    seen = np.ascontiguousarray(back.scan()[:, : round(72.0 / 0.8)])
    grid = Grid((seen.shape[0], seen.shape[1], seen.shape[2]), back.grid.spacing_mm, (0.0, 0.0, 0.0))
    assert find_metal(seen, grid, grid.box) == ()


def test_a_mass_of_cement_is_no_metal() -> None:
    back = Back()
    back.fill(back.ball((45.0, 30.0, 30.0), 11.0), CEMENT_HU)
    assert back.metal() == ()


def test_a_stent_is_a_hollow_of_struts() -> None:
    back = Back()
    left, behind, up = np.moveaxis(back.at - (45.0, 15.0, 10.0), -1, 0)
    zigzag = 2.0 * np.abs((6.0 * np.arctan2(behind, left) / np.pi) % 2.0 - 1.0)
    wall = np.abs(np.hypot(left, behind) - 10.0) < 0.6
    struts = wall & (np.abs((up - zigzag) % 6.0) < 1.0) & (up > 0.0) & (up < 40.0)
    back.fill(struts, METAL_HU)
    (stent,) = back.metal()
    assert stent.kind is ForeignKind.IMPLANT
    assert np.mean(stent.region.in_box(back.grid.box)[struts]) > 0.8


def test_what_is_brighter_than_any_cement_is_metal_whatever_its_shape() -> None:
    back = Back()
    clip = back.ball((60.0, 60.0, 30.0), 2.5)
    back.fill(clip, 12000.0)
    blurred = ndimage.gaussian_filter(back.hu, [BLUR_MM / s for s in back.grid.spacing_mm])
    (found,) = find_metal(blurred.astype(np.float32), back.grid, back.grid.box)
    assert found.kind is ForeignKind.IMPLANT
    assert np.mean(found.region.in_box(back.grid.box)[clip]) > 0.9


def test_the_same_block_gives_the_same_metal() -> None:
    back = Back()
    back.fill(back.cord(NEEDLE, 2.4), METAL_HU)
    (first,), (second,) = back.metal(), back.metal()
    np.testing.assert_array_equal(first.region.voxels, second.region.voxels)
    assert first.tip_lps_mm == second.tip_lps_mm
