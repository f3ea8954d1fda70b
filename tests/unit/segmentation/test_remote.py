"""What looks like cement away from the spine is told; bone, needles and the spine's cement are not."""

from __future__ import annotations

import numpy as np
import pytest

from cementct.core.grid import Box, Grid
from cementct.core.image import Region, Volume
from cementct.segmentation.cement.remote import find_remote_pieces
from cementct.segmentation.model import Cement, Deposit, ForeignBody, ForeignKind

GRID = Grid((40, 80, 80), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
SPINE_BOX = Box((5, 40, 20), (35, 75, 60))
CEMENT = (slice(15, 22), slice(50, 58), slice(35, 45))
EMBOLUS = (slice(18, 24), slice(10, 13), slice(60, 64))


def scan(*, embolus_hu: float = 2500.0, joined_to_bone: bool = False) -> Volume:
    hu = np.full(GRID.shape, 40.0, dtype=np.float32)
    hu[10:30, 45:65, 30:50] = 300.0
    hu[CEMENT] = 2800.0
    hu[EMBOLUS] = embolus_hu
    if joined_to_bone:
        hu[0:40, 9:14, 30:66] = 400.0
        hu[EMBOLUS] = embolus_hu
    return Volume(hu.astype(np.int16), GRID)


def cement(*, present: bool = True, foreign: tuple[ForeignBody, ...] = ()) -> Cement:
    share = np.zeros(SPINE_BOX.shape, dtype=np.float32)
    block = Box(*(tuple(getattr(s, end) for s in CEMENT) for end in ("start", "stop")))  # type: ignore[arg-type]
    if present:
        share[block.within(SPINE_BOX)] = 1.0
    owner = np.where(share > 0, 21, 0).astype(np.uint16)
    deposit = Deposit(
        number=1,
        owner=21,
        volume_ml=0.56,
        volume_sd_ml=0.01,
        plateau_hu=2800.0,
        background_hu=300.0,
        clipped=False,
        slices=7,
        streak_like=False,
        calcification_like=False,
        owner_certain=True,
        at_scan_edge=False,
    )
    return Cement(
        box=SPINE_BOX,
        fraction=share,
        region=share > 0,
        deposits=(owner > 0).astype(np.uint16),
        owner=owner,
        properties=(deposit,) if present else (),
        foreign=foreign,
        streaks=np.zeros(SPINE_BOX.shape, dtype=np.bool_),
        noise_hu=10.0,
    )


def test_a_bright_cord_in_soft_tissue_is_told_with_its_volume_and_place() -> None:
    (piece,) = find_remote_pieces(scan(), cement())
    assert piece.volume_ml == pytest.approx(6 * 3 * 4 / 1000)
    assert piece.centroid_lps_mm == pytest.approx((61.5, 11.0, 20.5))


def test_without_cement_in_the_spine_nothing_is_looked_for() -> None:
    assert find_remote_pieces(scan(), cement(present=False)) == ()


def test_what_is_fainter_than_any_cement_injected_is_calcification() -> None:
    assert find_remote_pieces(scan(embolus_hu=1200.0), cement()) == ()


def test_what_hangs_on_bone_is_bone() -> None:
    assert find_remote_pieces(scan(joined_to_bone=True), cement()) == ()


def test_a_needle_is_no_deposit() -> None:
    voxels = np.zeros(GRID.shape, dtype=np.bool_)
    voxels[EMBOLUS] = True
    needle = ForeignBody(ForeignKind.NEEDLE, Region.of(voxels))
    assert find_remote_pieces(scan(), cement(foreign=(needle,))) == ()
