"""Bone has its like on the other side and at the next level; dilute leaks do not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cementct.core.grid import Box, Grid
from cementct.core.image import Volume
from cementct.segmentation.vertebrae.embedded import leaks_apart
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.bone_shares import BoneShares
from cementct.segmentation.vertebrae.embedded.coarse_region import CoarseRegion, coarsen
from cementct.segmentation.vertebrae.embedded.leaks_apart import ArchBones, Counterparts

SHAPE = (60, 40, 60)
LOWER, UPPER = 1, 2


def test_a_lone_piece_has_no_counterpart_and_a_pair_has(monkeypatch: pytest.MonkeyPatch) -> None:
    bone = _cubes((15, 25, 40), (45, 25, 40), (45, 25, 18))
    owner = _owner()
    counterparts = _counterparts(monkeypatch, bone)

    missing = counterparts.missing_on_other_side(bone, owner)

    assert missing[15, 25, 40]
    assert not missing[45, 25, 40]


def test_bone_at_the_same_place_of_the_next_level_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    bone = _cubes((15, 25, 40), (45, 25, 40), (45, 10, 10))
    counterparts = _counterparts(monkeypatch, bone)

    repeated = counterparts.at_next_level(bone, _owner())

    assert repeated[15, 25, 40]
    assert repeated[45, 25, 40]
    assert not repeated[45, 10, 10]


def _shares() -> BoneShares:
    """Return shares of bone that is a vertebra's for certain at the back, and may be anywhere else."""
    best = np.full(SHAPE, 60, dtype=np.uint8)
    best[:, 35:] = 255
    nothing = np.zeros(SHAPE, dtype=np.uint8)
    nowhere = nothing > 0
    return BoneShares(_owner(), best, nothing, nothing, nowhere, nowhere, nowhere)


def test_what_one_side_shows_alone_is_a_leak_unless_the_next_level_shows_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lone, turned, again = (15, 10, 45), (15, 25, 40), (45, 25, 40)
    smooth_hu = np.where(_cubes(lone, turned, again), 700.0, 0.0).astype(np.float32)
    smooth_hu[:, 35:] = 400.0
    _counterparts(monkeypatch, smooth_hu > 0)
    outlines = [SimpleNamespace(), SimpleNamespace()]
    bones = ArchBones(_region(), _shares(), outlines, smooth_hu)  # type: ignore[arg-type]
    found = leaks_apart.find_leaks_on_one_side(bones, _owner())
    assert found[lone]
    assert not found[turned]
    assert not found[again]


def test_a_thin_cord_behind_one_arch_is_no_bone_and_a_thick_or_paired_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bone = np.zeros(SHAPE, dtype=np.bool_)
    cord, thick, pair, other_of_pair = (
        np.s_[14:16, 20:30, 44:46],
        np.s_[40:48, 6:16, 40:48],
        np.s_[20:22, 20:30, 44:46],
        np.s_[20:22, 20:30, 13:15],
    )
    for place in (cord, thick, pair, other_of_pair):
        bone[place] = True
    smooth_hu = np.where(bone, 260.0, 0.0).astype(np.float32)
    smooth_hu[:, 35:] = 400.0
    shares = _shares()
    shares.best[:, :35] = 10
    owner = np.where(bone, _owner(), 0).astype(np.uint8)
    _counterparts(monkeypatch, bone)
    outlines = [SimpleNamespace(), SimpleNamespace()]
    bones = ArchBones(_region(), shares, outlines, smooth_hu)  # type: ignore[arg-type]
    found = leaks_apart.find_cords_on_one_side(bones, owner)
    assert found[cord].all()
    for place in (thick, pair, other_of_pair):
        assert not found[place].any()


def _counterparts(monkeypatch: pytest.MonkeyPatch, bone: np.ndarray) -> Counterparts:
    """Return counterparts in a spine of two vertebrae whose middles lie 30 mm apart."""
    axes = {"left": np.array([0.0, 0.0, 1.0]), "back": np.array([0.0, 1.0, 0.0]), "up": np.array([1.0, 0, 0])}
    arches = [
        SimpleNamespace(
            placement=Placement(centre_mm=np.array([z, 15.0, 29.0]), **axes),
            spacing_mm=30.0,
            canal_back_mm=5.0,
        )
        for z in (15.0, 45.0)
    ]
    monkeypatch.setattr(leaks_apart, "arches_of", lambda _: arches)
    return Counterparts(_region(), [SimpleNamespace(), SimpleNamespace()], bone, 1.5)  # type: ignore[list-item]


def _region() -> CoarseRegion:
    grid = Grid(SHAPE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    nothing = np.zeros(SHAPE, dtype=np.uint8)
    hu = np.zeros(SHAPE, dtype=np.int16)
    return coarsen(Volume(hu, grid), Box((0, 0, 0), SHAPE), nothing, nothing > 0, coarsest_mm=1.0)


def _owner() -> np.ndarray:
    owner = np.full(SHAPE, LOWER, dtype=np.uint8)
    owner[30:] = UPPER
    return owner


def _cubes(*middles: tuple[int, int, int]) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=np.bool_)
    for z, y, x in middles:
        out[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] = True
    return out
