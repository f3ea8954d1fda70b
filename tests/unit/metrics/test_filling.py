"""Filling rates of exact shapes, their intervals and categories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.findings import FillingCategory, LesionSource
from cementct.core.grid import Box, Grid
from cementct.metrics.filling import (
    USUAL_RATE,
    category_of,
    filling_of_rate,
    measure_filling,
    rate_of_guess,
)
from cementct.metrics.filling_shares import overlap, sharpened
from cementct.segmentation.model import Cement, Lesion, Registration

GRID = Grid((30, 60, 60), (1.0, 0.7, 0.7), (0.0, 0.0, 0.0))
STILL = Registration(rotation=np.eye(3), translation_mm=np.zeros(3), ok=True, residual_mm=0.15)


def ball_share(centre, radius_mm):
    """Return the share of each voxel within a ball, exact to second order at its surface."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in GRID.shape], indexing="ij"), axis=-1)
    inward = radius_mm - np.linalg.norm(GRID.to_lps(index) - centre, axis=-1)
    return np.clip(0.5 + inward / float(np.cbrt(GRID.voxel_mm3)), 0, 1).astype(np.float32)


def cement_of(share, number=21):
    owner = np.where(share > 0, number, 0).astype(np.uint16)
    return Cement(
        box=GRID.box,
        fraction=share,
        region=share >= 0.5,
        deposits=owner,
        owner=owner,
        properties=(),
        foreign=(),
        streaks=np.zeros(share.shape, dtype=bool),
        noise_hu=12.0,
    )


def lesion_of(share, source=LesionSource.PRE):
    return Lesion(
        source=source,
        box=GRID.box,
        fraction=share,
        volume_ml=float(share.sum()) * GRID.voxel_ml,
        volume_sd_ml=0.1,
        destruction=None,
        posterior_wall_involved=None,
    )


def rate_of(cement_share, lesion_share):
    filling = measure_filling(
        cement_of(cement_share), lesion_of(lesion_share), number=21, grid=GRID, registration=STILL
    )
    assert filling is not None
    return filling


MIDDLE = (21.0, 21.0, 14.5)


def test_cement_of_the_lesions_own_shape_fills_it():
    ball = ball_share(MIDDLE, 9.0)
    assert rate_of(ball, ball).rate == pytest.approx(1.0, abs=0.015)
    assert rate_of(ball, ball).category is FillingCategory.COMPLETE


def test_a_ball_within_a_ball_fills_the_ratio_of_their_volumes():
    filling = rate_of(ball_share(MIDDLE, 7.0), ball_share(MIDDLE, 9.0))
    assert filling.rate == pytest.approx((7 / 9) ** 3, abs=0.01)
    assert filling.ci90[0] < (7 / 9) ** 3 < filling.ci90[1]


def test_half_a_lesion_is_filled_by_a_half_space():
    index = np.arange(GRID.shape[2]) * GRID.spacing_mm[2]
    half = np.broadcast_to(np.clip(0.5 + (21.0 - index) / 0.7, 0, 1), GRID.shape).astype(np.float32)
    assert rate_of(half, ball_share(MIDDLE, 9.0)).rate == pytest.approx(0.5, abs=0.01)


def test_blur_of_the_cements_edge_does_not_empty_the_lesion():
    from scipy import ndimage

    ball = ball_share(MIDDLE, 9.0)
    blurred = ndimage.gaussian_filter(ball, [0.6, 0.8, 0.8])
    assert rate_of(blurred, ball).rate > 0.97


def test_cement_beside_the_lesion_fills_nothing():
    assert rate_of(ball_share((8.0, 21.0, 14.5), 5.0), ball_share((32.0, 21.0, 14.5), 6.0)).rate < 0.005


def test_cement_of_another_vertebra_does_not_count():
    ball = ball_share(MIDDLE, 8.0)
    filling = measure_filling(cement_of(ball, number=20), lesion_of(ball), number=21, grid=GRID)
    assert filling is not None
    assert filling.rate == 0.0


def test_without_a_lesion_there_is_no_rate():
    empty = Box((0, 0, 0), (0, 0, 0))
    none = Lesion(
        source=LesionSource.NONE,
        box=empty,
        fraction=np.zeros((0, 0, 0), dtype=np.float32),
        volume_ml=0.0,
        volume_sd_ml=0.0,
        destruction=None,
        posterior_wall_involved=None,
    )
    assert measure_filling(cement_of(ball_share(MIDDLE, 5.0)), none, number=21, grid=GRID) is None


def test_what_two_faces_share_depends_on_how_they_lie():
    left = np.broadcast_to(np.array([1, 1, 0.5, 0, 0], dtype=np.float32), (5, 5, 5)).copy()
    grid = Grid((5, 5, 5), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert overlap(left, left, grid)[2, 2, 2] == pytest.approx(0.5)
    assert overlap(left, left[:, :, ::-1].copy(), grid)[2, 2, 2] == pytest.approx(0.0)
    assert overlap(left, left.transpose(2, 1, 0).copy(), grid)[2, 2, 2] == pytest.approx(0.25)


def test_sharpening_keeps_dilute_cement_as_it_is():
    share = np.full(GRID.shape, 0.3, dtype=np.float32)
    assert np.array_equal(sharpened(share), share)


def test_the_interval_is_wider_without_a_pre_injection_scan():
    small, large = ball_share(MIDDLE, 7.0), ball_share(MIDDLE, 9.0)
    pre = measure_filling(cement_of(small), lesion_of(large), number=21, grid=GRID, registration=STILL)
    post = measure_filling(cement_of(small), lesion_of(large, LesionSource.POST), number=21, grid=GRID)
    assert pre is not None
    assert post is not None
    assert post.sd > 1.5 * pre.sd


@pytest.mark.parametrize(
    ("rate", "category"),
    [
        (0.0, FillingCategory.UNDER_50),
        (0.4999, FillingCategory.UNDER_50),
        (0.5, FillingCategory.FROM_50),
        (0.75, FillingCategory.FROM_75),
        (0.9, FillingCategory.COMPLETE),
        (1.0, FillingCategory.COMPLETE),
    ],
)
def test_the_lower_bound_belongs_to_the_category(rate, category):
    assert category_of(rate) is category


def test_on_a_border_both_categories_are_as_likely_and_all_sum_to_one():
    filling = filling_of_rate(0.75, 0.03)
    assert filling.probability[FillingCategory.FROM_50] == pytest.approx(0.5, abs=0.01)
    assert sum(filling.probability.values()) == pytest.approx(1.0, abs=0.02)


def test_an_interval_stays_within_nothing_and_all():
    filling = filling_of_rate(0.99, 0.05)
    assert 0.85 < filling.ci90[0] < 0.99
    assert filling.ci90[1] <= 1.0


def test_a_lesion_that_reads_nearly_full_may_be_full():
    assert filling_of_rate(0.95, 0.06).ci90[1] == 1.0
    assert filling_of_rate(0.04, 0.06).ci90[0] == 0.0


def test_an_interval_far_from_both_ends_reaches_as_far_up_as_down():
    low, high = filling_of_rate(0.6, 0.05).ci90
    assert high - 0.6 == pytest.approx(0.6 - low)
    assert high - low == pytest.approx(2 * 1.6449 * 0.05, rel=1e-3)


def test_of_a_guessed_lesion_less_cement_counts_and_a_full_one_stays_full():
    large, small = ball_share(MIDDLE, 11.0), ball_share(MIDDLE, 9.0)
    seen = rate_of(small, large)
    guessed = measure_filling(cement_of(small), lesion_of(large, LesionSource.POST), number=21, grid=GRID)
    assert guessed is not None
    assert guessed.rate == pytest.approx(rate_of_guess(seen.rate, told_apart=1.0), abs=0.01)
    assert 0.02 < seen.rate - guessed.rate < 0.08
    assert rate_of_guess(1.0, told_apart=1.0) == 1.0
    assert rate_of_guess(0.0, told_apart=1.0) == 0.0


def test_where_a_guess_cannot_tell_lesion_from_marrow_the_usual_rate_is_expected_and_doubted():
    ball = ball_share(MIDDLE, 11.0)
    dark = replace(lesion_of(ball, LesionSource.POST), told_apart=0.0)
    rates = [
        measure_filling(cement_of(ball), lesion, number=21, grid=GRID)
        for lesion in (dark, lesion_of(ball, LesionSource.POST))
    ]
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[0].rate == pytest.approx(USUAL_RATE)
    assert rates[1].rate > 0.98
    assert rates[0].sd > rates[1].sd
    assert rates[0].ci90[0] < 0.5
    assert rates[0].ci90[1] > 0.9


def test_the_better_lesion_and_marrow_are_told_apart_the_more_a_guess_counts():
    rates = [rate_of_guess(0.4, told_apart=told / 4) for told in range(5)]
    assert rates == sorted(rates, reverse=True)
