"""Volumes per vertebra against a column of blocks."""

from __future__ import annotations

import pytest

from cementct.metrics.volume import measure_cement
from cementct.testing.block_spine import ball, block, build_block_spine


def test_cement_in_the_body_counts_in_the_body_and_its_ratio() -> None:
    blocks = build_block_spine()
    shape = ball((0.0, 0.0, 0.0), 8.0)
    volumes = measure_cement(blocks.cement_of(shape), blocks.spine)[blocks.middle.number]
    assert volumes.volume_ml == pytest.approx(blocks.volume_ml(shape), rel=1e-3)
    assert volumes.in_body_ml == pytest.approx(volumes.volume_ml, rel=1e-3)
    assert volumes.in_pedicle_ml == 0.0
    assert volumes.ratio is not None
    assert volumes.ratio == pytest.approx(volumes.in_body_ml / (44.0 * 32.0 * 26.0 / 1000.0), rel=0.06)


def test_the_interval_holds_the_estimate() -> None:
    blocks = build_block_spine()
    volumes = measure_cement(blocks.cement_of(ball((0.0, 0.0, 0.0), 6.0)), blocks.spine)[blocks.middle.number]
    low, high = volumes.ci90_ml
    assert low < volumes.volume_ml < high
    assert high - low == pytest.approx(2 * 1.645 * volumes.sd_ml)


def test_cement_in_a_pedicle_counts_there_and_not_in_the_body() -> None:
    blocks = build_block_spine()
    inside = block((13.0, 18.0, 2.0), (18.0, 26.0, 9.0))
    volumes = measure_cement(blocks.cement_of(inside), blocks.spine)[blocks.middle.number]
    assert volumes.in_pedicle_ml == pytest.approx(volumes.volume_ml, rel=0.06)
    assert volumes.in_body_ml < 0.05 * volumes.volume_ml


def test_vertebrae_without_cement_have_no_entry() -> None:
    blocks = build_block_spine()
    found = measure_cement(blocks.cement_of(ball((0.0, 0.0, 0.0), 6.0)), blocks.spine)
    assert set(found) == {blocks.middle.number}
