"""Volumes per vertebra against a column of blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cementct.metrics.volume import measure_cement
from cementct.metrics.volume_interval import Unseen, interval_90_ml, unseen_in
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
    assert low <= volumes.volume_ml - 1.64 * volumes.sd_ml
    assert high >= volumes.volume_ml + 1.64 * volumes.sd_ml


def test_cement_as_faint_as_bone_may_have_been_missed_and_opaque_cement_hardly() -> None:
    blocks = build_block_spine()
    opaque = blocks.cement_of(ball((0.0, 0.0, 0.0), 6.0))
    faint = replace(opaque, properties=tuple(replace(d, plateau_hu=1000.0) for d in opaque.properties))
    missed_ml = [unseen_in(cement, blocks.middle, 2.0).missed_ml for cement in (opaque, faint)]
    assert missed_ml[1] > 5 * missed_ml[0]


def test_an_earlier_scan_leaves_less_to_be_missed_and_given_labels_less_than_found_ones() -> None:
    blocks = build_block_spine()
    cement = blocks.cement_of(ball((0.0, 0.0, 0.0), 6.0))
    compared = replace(cement, known_share={blocks.middle.number: 1.0})
    guessed = replace(blocks.middle, confidence=0.8, is_drawn=False)
    plain = unseen_in(cement, blocks.middle, 2.0)
    assert unseen_in(compared, blocks.middle, 2.0).missed_ml < plain.missed_ml
    assert unseen_in(cement, guessed, 2.0).missed_ml > plain.missed_ml
    assert unseen_in(cement, guessed, 2.0).added_ml > plain.added_ml


def test_nothing_of_cement_that_the_user_drew_was_missed() -> None:
    blocks = build_block_spine()
    drawn = replace(blocks.cement_of(ball((0.0, 0.0, 0.0), 6.0)), drawn=True)
    volumes = measure_cement(drawn, blocks.spine)[blocks.middle.number]
    low, high = volumes.ci90_ml
    assert high - low == pytest.approx(2 * 1.645 * volumes.sd_ml)


def test_an_interval_reaches_further_where_more_may_have_been_missed_than_added() -> None:
    low, high = interval_90_ml(5.0, 0.1, Unseen(missed_ml=0.8, added_ml=0.1))
    assert high - 5.0 > 3 * (5.0 - low)
    assert interval_90_ml(0.1, 0.2, Unseen(0.0, 0.0))[0] == 0.0


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
