"""The accuracy bench measures what it says, on reports written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.accuracy import figures
from benchmarks.accuracy.bars import MEASURES, Form, Measure, least, most
from benchmarks.accuracy.cases import Case, Family
from benchmarks.accuracy.figures import wilson
from benchmarks.accuracy.growth import curves
from benchmarks.accuracy.scores import CaseScore, LeakScore, VertebraScore
from benchmarks.accuracy.scoring import failed, score
from benchmarks.accuracy.tables import bars_table, line_of
from cementct.core.findings import (
    Certainty,
    Compartments,
    CompartmentState,
    Destruction,
    FillingCategory,
    Leak,
    LeakType,
    LesionSource,
    LevelSource,
    SeriesReport,
    Side,
    Software,
    StudyDescription,
    StudyReport,
    VertebraReport,
)
from cementct.core.grid import Grid
from cementct.core.image import LabelMap, Volume
from cementct.core.levels import Level
from cementct.testing.truth import CaseTruth, LeakTruth, VertebraTruth

GRID = Grid((60, 40, 40), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
# Vertebrae from the top: name, number, slices of the body.
COLUMN = (("L1", 20, (44, 56)), ("L2", 21, (24, 36)), ("L3", 22, (4, 16)))
MAPS = dict[str, LabelMap]


def middle(level: str) -> tuple[float, float, float]:
    low, high = next(z for name, _, z in COLUMN if name == level)
    return 20.0, 20.0, (low + high) / 2


def labels(**places: int) -> LabelMap:
    """Return a cube of 6 mm in the middle of each named vertebra, carrying a number."""
    out = np.zeros(GRID.shape, dtype=np.uint8)
    for level, number in places.items():
        z = int(middle(level)[2])
        out[z - 3 : z + 3, 17:23, 17:23] = number
    return LabelMap(out, GRID)


def true_leak(kind: LeakType, ml: float, point: tuple[float, float, float]) -> LeakTruth:
    return LeakTruth(kind, Side.LEFT, ml, point, None, listed=True)


def case(*leaks: LeakTruth, treated: str = "L2") -> Case:
    vertebrae = []
    for level, number, _ in COLUMN:
        own = level == treated
        vertebrae.append(
            VertebraTruth(
                level=level,
                number=number,
                complete=True,
                treated=own,
                centroid_lps_mm=middle(level),
                body_volume_ml=30.0,
                cement_volume_ml=4.0 if own else None,
                cement_opacity_hu=2500.0 if own else None,
                lesion_volume_ml=5.0 if own else None,
                filling_rate=0.8 if own else None,
                filling_category=FillingCategory.FROM_75 if own else None,
                destruction=Destruction.OSTEOLYTIC if own else None,
                posterior_wall_involved=True if own else None,
                leaks=leaks if own else (),
                posterior_wall_distance_mm=3.0 if own else None,
                height_loss=0.3 if own else 0.0,
            )
        )
    empty = LabelMap(np.zeros(GRID.shape, dtype=np.uint8), GRID)
    return Case(
        name="by hand",
        description="",
        family=Family.PHANTOMS,
        half="tuning",
        slice_mm=1.0,
        pixel_mm=1.0,
        noise_hu=10.0,
        clip_hu=3071,
        post=Volume(np.zeros(GRID.shape, dtype=np.int16), GRID),
        pre=None,
        vertebrae=empty,
        truth=CaseTruth(0, "by hand", tuple(vertebrae)),
        lesion=labels(**{treated: 21}),
        cement=labels(**{treated: 21}),
        leaks=empty,
    )


def leak(kind: LeakType, ml: float, point: tuple[float, float, float], *, definite: bool = True) -> Leak:
    certainty = Certainty.DEFINITE if definite else Certainty.POSSIBLE
    return Leak(type=kind, certainty=certainty, volume_ml=ml, side=Side.LEFT, centroid_lps_mm=point)


NONE_SEEN = CompartmentState.NONE_SEEN
COMPARTMENTS = Compartments(
    epidural=NONE_SEEN,
    foraminal_left=CompartmentState.NOT_ASSESSABLE,
    foraminal_right=NONE_SEEN,
    diskal_above=NONE_SEEN,
    diskal_below=NONE_SEEN,
    paravertebral=NONE_SEEN,
    access_track=NONE_SEEN,
)


def report(*leaks: Leak, treated: tuple[str, ...] = ("L2",), owner: str = "L2") -> StudyReport:
    vertebrae = []
    for level, _, _ in COLUMN:
        own = level in treated
        vertebrae.append(
            VertebraReport(
                level=Level(level),
                label=Level(level).verse_number,
                level_source=LevelSource.LABEL_FILE,
                centroid_lps_mm=middle(level),
                complete=True,
                treated=own,
                cement_volume_ml=4.2 if own else None,
                cement_volume_ml_ci90=(3.9, 4.5) if own else None,
                lesion_source=LesionSource.PRE if own else LesionSource.NONE,
                filling_rate=0.7 if own else None,
                filling_category=FillingCategory.FROM_50 if own else None,
                leaks=leaks if level == owner else (),
                compartments=COMPARTMENTS if own else None,
                posterior_wall_distance_mm=2.5 if own else None,
                posterior_wall_involved=True if own else None,
                destruction=Destruction.MIXED if own else None,
                compressed=own,
            )
        )
    post = SeriesReport(series_instance_uid=None, shape=GRID.shape, spacing_mm=(1.0, 1.0, 1.0), why="")
    return StudyReport(
        software=Software(name="cementct", version="0", config_sha256=""),
        study=StudyDescription(post=post, pre=None),
        vertebrae=tuple(vertebrae),
    )


def maps(cement: LabelMap | None = None, leaks: LabelMap | None = None) -> MAPS:
    empty = LabelMap(np.zeros(GRID.shape, dtype=np.uint8), GRID)
    return {"cement": cement or labels(L2=21), "lesion": labels(L2=21), "leaks": leaks or empty}


HERE, NEAR, FAR = (28.0, 30.0, 30.0), (28.0, 30.0, 40.0), (2.0, 2.0, 58.0)
EPIDURAL, FORAMINAL, DISKAL = LeakType.EPIDURAL, LeakType.FORAMINAL, LeakType.DISKAL


def test_numbers_of_a_treated_vertebra_stand_truth_beside_result() -> None:
    (v,) = score(case(), "labels+pre", report(), maps()).vertebrae
    assert v.found
    assert not v.clipped
    assert (v.true_ml, v.ml, v.ci90_ml) == (4.0, 4.2, (3.9, 4.5))
    assert (v.true_filling, v.filling, v.true_category, v.category) == (0.8, 0.7, "75-90%", "50-75%")
    assert (v.true_destruction, v.destruction) == ("osteolytic", "mixed")
    assert v.lesion_dice == 1.0
    assert (v.readable, v.not_assessable) == (5, ("foraminal_left",))


def test_cement_brighter_than_what_is_stored_is_clipped() -> None:
    made = case()
    (v,) = score(replace(made, clip_hu=2000), "labels", report(), maps()).vertebrae
    assert v.clipped


def test_cement_given_to_a_neighbour_is_given_wrongly() -> None:
    half = np.array(labels(L2=21).labels)
    half[:, :, :20][half[:, :, :20] > 0] = 22
    (v,) = score(case(), "labels", report(), maps(LabelMap(half, GRID))).vertebrae
    assert v.shared_ml == pytest.approx(0.216)
    assert v.right_share_ml == pytest.approx(0.108)


def test_a_vertebra_without_cement_found_treated_is_invented() -> None:
    result = score(case(), "labels", report(treated=("L2", "L3")), maps())
    assert result.invented == 1
    assert result.false_cement_ml == pytest.approx(4.2)


def test_old_cement_is_invented_only_where_the_scan_before_shows_it() -> None:
    made = case()
    old = tuple(replace(v, old_cement_ml=2.0) if v.level == "L3" else v for v in made.truth.vertebrae)
    made = replace(made, truth=replace(made.truth, vertebrae=old))
    found = report(treated=("L2", "L3"))
    assert score(made, "labels+pre", found, maps()).invented == 1
    assert score(made, "labels", found, maps()).invented == 0


def test_height_loss_is_that_before_injection_where_that_scan_is_given() -> None:
    raised = replace(case(), loss_before={"L2": 0.5}, loss_after={"L2": 0.1})
    assert score(raised, "labels+pre", report(), maps()).vertebrae[0].true_compressed
    assert not score(raised, "labels", report(), maps()).vertebrae[0].true_compressed


def test_a_leak_of_the_same_type_nearby_is_found() -> None:
    result = score(case(true_leak(EPIDURAL, 0.2, HERE)), "labels", report(leak(EPIDURAL, 0.25, NEAR)), maps())
    assert result.leaks == (LeakScore("L2", "epidural", 0.2, 0.25),)
    assert not result.false_leaks


def test_a_leak_far_away_is_missed_and_another_is_false() -> None:
    result = score(case(true_leak(EPIDURAL, 0.2, HERE)), "labels", report(leak(EPIDURAL, 0.25, FAR)), maps())
    assert result.leaks[0].found_ml is None
    assert [f.true_kind for f in result.false_leaks] == [""]


def test_a_long_leak_is_found_where_its_voxels_carry_its_type() -> None:
    voxels = labels(L2=EPIDURAL.number)
    made = replace(case(true_leak(EPIDURAL, 0.2, middle("L2"))), leaks=voxels)
    away = (20.0, 20.0, 50.0)
    missed = score(made, "labels", report(leak(EPIDURAL, 0.2, away)), maps())
    found = score(made, "labels", report(leak(EPIDURAL, 0.2, away)), maps(leaks=voxels))
    assert missed.leaks[0].found_ml is None
    assert found.leaks[0].found_ml == 0.2


def test_a_leak_typed_otherwise_is_missed_as_one_and_false_as_the_other() -> None:
    result = score(case(true_leak(EPIDURAL, 0.2, HERE)), "labels", report(leak(FORAMINAL, 0.2, NEAR)), maps())
    assert result.leaks[0].found_ml is None
    assert result.leaks[0].typed_as == "foraminal"
    assert [(f.kind, f.true_kind) for f in result.false_leaks] == [("foraminal", "epidural")]
    confusion = figures.leak_confusion([result])
    assert confusion["epidural", "foraminal"] == 1
    assert confusion["none", "foraminal"] == 0


def test_a_leak_given_to_a_neighbour_is_found_and_said_so() -> None:
    made = case(true_leak(DISKAL, 0.2, HERE))
    result = score(made, "labels", report(leak(DISKAL, 0.2, HERE), treated=("L2", "L3"), owner="L3"), maps())
    assert result.leaks[0].wrong_vertebra


def test_possible_leaks_count_neither_way() -> None:
    made = case(true_leak(EPIDURAL, 0.2, HERE))
    result = score(made, "labels", report(leak(EPIDURAL, 0.2, HERE, definite=False)), maps())
    assert result.leaks[0].found_ml is None
    assert not result.false_leaks


def test_a_second_piece_of_a_leak_and_a_crumb_are_not_false() -> None:
    made = case(true_leak(EPIDURAL, 0.2, HERE), true_leak(FORAMINAL, 0.005, FAR))
    two = report(leak(EPIDURAL, 0.1, HERE), leak(EPIDURAL, 0.1, NEAR), leak(FORAMINAL, 0.01, FAR))
    result = score(made, "labels", two, maps())
    assert not result.false_leaks
    assert result.split == 2
    assert len(result.leaks) == 1


def test_an_analysis_that_breaks_misses_everything() -> None:
    result = failed(case(true_leak(EPIDURAL, 0.2, HERE)), "labels", "it broke")
    assert not result.vertebrae[0].found
    assert result.leaks[0].found_ml is None


def scores(*pairs: tuple[float, float]) -> list[CaseScore]:
    vertebrae = tuple(
        VertebraScore("L2", found=True, clipped=False, true_ml=a, ml=b, ci90_ml=(a, a)) for a, b in pairs
    )
    return [CaseScore("a", "labels+pre", Family.PHANTOMS, "tuning", "", 1.0, 0.6, 10.0, vertebrae=vertebrae)]


def test_volumes_are_compared_relative_to_the_truth() -> None:
    errors = scores((4.0, 4.4), (5.0, 5.0), (2.0, 1.0), (1.0, 9.0))
    assert figures.volume_median(errors).value == pytest.approx(0.1)
    assert figures.volume_median(errors).count == 3


def test_kappa_is_one_for_agreement_and_weighs_far_errors_more() -> None:
    def kappa(*pairs: tuple[str, str]) -> float | None:
        vertebrae = tuple(
            VertebraScore("L2", found=True, clipped=False, true_ml=3.0, true_category=a, category=b)
            for a, b in pairs
        )
        (one,) = scores()
        return figures.weighted_kappa([replace(one, vertebrae=vertebrae)]).value

    right = [("<50%", "<50%"), ("~100%", "~100%"), ("75-90%", "75-90%")]
    near, far = [*right, ("50-75%", "75-90%")], [*right, ("50-75%", "~100%")]
    assert kappa(*right) == pytest.approx(1.0)
    assert 1.0 > (kappa(*near) or 0.0) > (kappa(*far) or 0.0)


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    assert wilson(9, 10) == pytest.approx((0.596, 0.982), abs=0.002)
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_falls_short_of_its_bar_is_starred() -> None:
    rows = (
        Measure("reached", lambda _: figures.Figure(0.99, 3), Form.SHARE, least(0.97, 0.93)),
        Measure("short", lambda _: figures.Figure(0.05, 3), Form.PERCENT, most(0.04, 0.04)),
    )
    cells = [m.cell(scores((3.0, 3.0)), "labels+pre") for m in rows]
    assert cells == ["0.990 (3)", "5.0 % * (3)"]


def test_every_measure_can_be_made_of_nothing_and_of_a_case() -> None:
    made = case(true_leak(EPIDURAL, 0.2, HERE))
    result = score(made, "labels+pre", report(leak(EPIDURAL, 0.2, HERE)), maps())
    for measure in MEASURES:
        assert measure.cell([], "labels") == "–"
        assert isinstance(measure.cell([result], "labels+pre"), str)
    assert len(bars_table([result])) > 10
    assert "epidural 0.200→0.200" in line_of(result)


def test_errors_are_sorted_into_bins() -> None:
    found = {(c.measure, c.axis): c.bins for c in curves(scores((4.0, 4.4), (5.0, 5.5)))}
    (thin,) = found["error of cement volumes", "slice thickness, mm"]
    assert (thin.low, thin.high, thin.count) == (0.9, 1.3, 2)
    assert thin.value == pytest.approx(0.1)
