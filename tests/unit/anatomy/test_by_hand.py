"""What the user gives by hand is respected exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from cementct.anatomy.describe import describe_spine, draw_given_walls
from cementct.anatomy.hints import GivenAnatomy, GivenVertebra
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import Spine, Vertebra
from cementct.anatomy.naming import LevelHints
from cementct.core.errors import StudyRefused
from cementct.core.findings import LevelSource
from cementct.core.flags import Flag
from cementct.core.levels import Level
from tests.unit.anatomy.conftest import ExactSpine

KEY = "anatomy.json: vertebrae[0]"
PLACES = ((-9.0, -6.0), (9.0, -4.0), (0.0, 6.0))


@pytest.fixture(scope="module")
def spine(exact: Callable[..., ExactSpine]) -> ExactSpine:
    return exact(3, spacing_mm=(1.5, 1.0, 1.0))


def described(spine: ExactSpine, *given: GivenVertebra) -> Spine:
    by_hand = GivenAnatomy(given)
    labels = draw_given_walls(spine.labels, by_hand)
    return describe_spine(spine.volume, labels, hints=LevelHints(by_hand=by_hand))


def points(vertebra: Vertebra, heights: Sequence[float]) -> np.ndarray:
    local = [(left, back, height) for (left, back), height in zip(PLACES, heights, strict=True)]
    return vertebra.frame.to_lps(local)


def test_an_endplate_passes_through_the_given_points(spine: ExactSpine) -> None:
    before = described(spine).vertebrae[1]
    wanted = points(before, (10.0, 11.0, 9.0))
    after = described(spine, GivenVertebra(KEY, superior_endplate_lps_mm=wanted)).vertebrae[1]
    local = after.frame.to_local(wanted)
    heights = after.superior_endplate.at(local[:, 0], local[:, 1])
    assert np.abs(heights - local[:, 2]).max() < 0.3
    assert {f.flag for f in after.flags} >= {Flag.ANATOMY_BY_HAND}
    # The body ends there: three millimetres less over its whole cross-section.
    lost = (before.body.count - after.body.count) * 1.5e-3
    area = np.count_nonzero(np.isfinite(before.superior_endplate.height_mm)) * 1e-3
    assert lost == pytest.approx(3.0 * area, rel=0.25)


def test_an_endplate_may_be_raised_too_and_the_neighbour_gives_way(spine: ExactSpine) -> None:
    before = described(spine)
    # 8 mm of disc lie between the bodies; the given endplate runs into the neighbour above.
    wanted = points(before.vertebrae[1], (23.0, 23.0, 23.0))
    after = described(spine, GivenVertebra(KEY, superior_endplate_lps_mm=wanted))
    assert after.vertebrae[1].body.count > before.vertebrae[1].body.count
    one, other = (after.vertebrae[i].body for i in (0, 1))
    assert not (one.in_box(spine.volume.grid.box) & other.in_box(spine.volume.grid.box)).any()


def test_a_posterior_wall_passes_through_the_given_point(spine: ExactSpine) -> None:
    before = described(spine).vertebrae[1]
    wall = float(before.posterior_wall.at([0.0], [0.0])[0])
    wanted = before.frame.to_lps([(0.0, wall - 2.5, 0.0)])
    after = described(spine, GivenVertebra(KEY, posterior_wall_lps_mm=wanted)).vertebrae[1]
    left, back, up = after.frame.to_local(wanted)[0]
    assert float(after.posterior_wall.at([left], [up])[0]) == pytest.approx(back, abs=0.3)
    assert after.body.count < before.body.count


def test_a_given_centre_is_the_centre_that_is_reported(spine: ExactSpine) -> None:
    truth = np.asarray(spine.vertebrae[2].frame.centre_lps_mm)
    x, y, z = (float(v) for v in truth + np.asarray((1.0, -2.0, 1.5)))
    after = described(spine, GivenVertebra(KEY, Level.L4, (x, y, z)))
    assert after.vertebrae[2].centroid_lps_mm == (x, y, z)
    assert [v.level for v in after.vertebrae] == [Level.L2, Level.L3, Level.L4]
    assert {v.level_source for v in after.vertebrae} == {LevelSource.USER}


def test_names_that_leave_a_gap_stand_and_nothing_is_counted_from_them(spine: ExactSpine) -> None:
    centres = [v.frame.centre_lps_mm for v in spine.vertebrae]
    given = [GivenVertebra(KEY, level, centres[i]) for i, level in ((0, Level.T12), (2, Level.L4))]
    after = described(spine, *given)
    assert [v.level for v in after.vertebrae] == [Level.T12, None, Level.L4]
    assert Flag.LEVEL_CONFLICT in {f.flag for f in after.flags}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"centre_lps_mm": (0.0, 35.0, 0.0)}, "expected a vertebral body at the place given"),
        (
            {
                "superior_endplate_lps_mm": [(0.0, 0.0, 12.0), (0.0, 0.0, 15.0)],
                "centre_lps_mm": (0.0, 0.0, 0.0),
            },
            "contradict each other",
        ),
        (
            {"superior_endplate_lps_mm": [(0.0, 0.0, 5.0)], "centre_lps_mm": (0.0, 0.0, 8.0)},
            "expected centre_lps_mm inside the body, found it beyond superior_endplate_lps_mm",
        ),
        (
            {"superior_endplate_lps_mm": [(0.0, -60.0, 12.0)], "centre_lps_mm": (0.0, 0.0, 0.0)},
            "found one .* mm beside it",
        ),
        (
            {"superior_endplate_lps_mm": [(0.0, 0.0, 0.0)], "inferior_endplate_lps_mm": [(0.0, 0.0, -0.5)]},
            "found them meeting",
        ),
    ],
)
def test_what_contradicts_itself_or_the_scan_is_refused(
    spine: ExactSpine, change: dict[str, object], says: str
) -> None:
    middle = np.asarray(spine.vertebrae[1].frame.centre_lps_mm)
    placed = {name: np.asarray(value) + middle for name, value in change.items()}
    if "centre_lps_mm" in placed:
        placed["centre_lps_mm"] = tuple(placed["centre_lps_mm"].tolist())
    with pytest.raises(StudyRefused, match=says):
        described(spine, replace(GivenVertebra(KEY), **placed))


def test_a_centre_where_no_vertebra_is_found_at_all_is_refused(spine: ExactSpine) -> None:
    nothing = replace(spine.labels.vertebrae, labels=np.zeros_like(spine.labels.vertebrae.labels))
    by_hand = GivenAnatomy((GivenVertebra(KEY, None, (0.0, 0.0, 0.0)),))
    with pytest.raises(StudyRefused, match="none could be outlined there"):
        describe_spine(spine.volume, SpineLabels(nothing), hints=LevelHints(by_hand=by_hand))


def test_two_entries_for_one_vertebra_and_names_against_the_order_are_refused(spine: ExactSpine) -> None:
    centres = [v.frame.centre_lps_mm for v in spine.vertebrae]
    with pytest.raises(StudyRefused, match="expected a vertebra of its own"):
        described(spine, GivenVertebra(KEY, None, centres[1]), GivenVertebra(KEY, None, centres[1]))
    with pytest.raises(StudyRefused, match="from top to bottom, found L3, L1"):
        described(spine, GivenVertebra(KEY, Level.L3, centres[0]), GivenVertebra(KEY, Level.L1, centres[2]))
