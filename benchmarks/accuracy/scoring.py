"""Truth beside result for one report."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.matching import found_leaks, match_leaks, true_leaks
from benchmarks.accuracy.scores import CaseScore, VertebraScore
from cementct.core.findings import CompartmentState, LesionSource, StudyReport, VertebraReport
from cementct.core.image import LabelMap
from cementct.testing.phantom import lesions_of, with_destruction
from cementct.testing.truth import CaseTruth, VertebraTruth

# A reported vertebra is the true one where the bodies' centres lie this near, mm; discs lie 15 mm apart.
SAME_VERTEBRA_MM = 12.0
# Canal and foramina can be read on slices up to this thickness, mm (the contract).
READABLE_SLICE_MM = 2.5
# A body is compressed from this loss of height (the contract).
COMPRESSED_FROM = 0.20

Maps = dict[str, LabelMap]


def score(case: Case, setting: str, report: StudyReport, maps: Maps) -> CaseScore:
    """Return truth beside result for one report.

    Parameters
    ----------
    case
        The case.
    setting
        What it was analysed with; ``+pre`` at its end says that the scan before injection was given.
    report
        What came of it.
    maps
        The report's label maps on the grid of the case's `post`: cement, lesion, leaks.
    """
    truth = _by_volume(case)
    with_pre = setting.endswith("+pre")
    numbers = match_vertebrae(truth, report)
    by_true = {true: label for label, true in numbers.items()}
    reported = {v.label: v for v in report.vertebrae}
    vertebrae = []
    for true in truth.treated:
        label = by_true.get(true.number)
        vertebrae.append(
            _compare(
                case, true, reported[label] if label is not None else None, maps, numbers, with_pre=with_pre
            )
        )
    treated = {v.number for v in truth.treated}
    old = {v.number for v in truth.vertebrae if v.old_cement_ml > 0}
    # Without the scan before injection old cement counts like new (the contract).
    excused = treated if with_pre else treated | old
    invented = [v for v in report.treated if numbers.get(v.label) not in excused]
    excused_leaks = [
        v.label for v in report.vertebrae if not with_pre and numbers.get(v.label) in old - treated
    ]
    matches = match_leaks(
        true_leaks(truth, case.leaks, case.cement, maps["leaks"]),
        [f for f in found_leaks(report, numbers) if f.number not in {numbers[n] for n in excused_leaks}],
        [v.number for v in truth.vertebrae],
    )
    levels = {v.number: v.level for v in truth.vertebrae}
    names = [
        (v.level.value, levels[numbers[v.label]]) for v in report.vertebrae if v.level and v.label in numbers
    ]
    return CaseScore(
        case=case.name,
        setting=setting,
        family=case.family,
        half=case.half,
        description=case.description,
        slice_mm=case.slice_mm,
        pixel_mm=case.pixel_mm,
        noise_hu=case.noise_hu,
        streaks_only=case.streaks_only,
        vertebrae=tuple(vertebrae),
        leaks=tuple(matches.leaks),
        false_leaks=tuple(matches.false),
        split=matches.split,
        invented=len(invented),
        named=len(names),
        wrong_names=sum(a != b for a, b in names),
        false_cement_ml=sum(v.cement_volume_ml or 0.0 for v in invented),
    )


def _by_volume(case: Case) -> CaseTruth:
    """Return a case's truth with the type of destruction by volume; kept phantoms hold the one asked for."""
    return with_destruction(case.truth, lesions_of(case.spec)) if case.spec is not None else case.truth


def failed(case: Case, setting: str, error: str) -> CaseScore:
    """Return the score of a case that broke the analysis: everything missed."""
    vertebrae = tuple(
        VertebraScore(v.level, found=False, clipped=False, true_ml=v.cement_volume_ml or 0.0)
        for v in case.truth.treated
    )
    empty = LabelMap(np.zeros(case.post.grid.shape, dtype=np.uint8), case.post.grid)
    leaks = match_leaks(true_leaks(case.truth, None, None, empty), [], []).leaks
    return CaseScore(
        case.name, setting, case.family, case.half, case.description, case.slice_mm, case.pixel_mm,
        case.noise_hu, case.streaks_only, vertebrae, tuple(leaks), error=error,
    )  # fmt: skip


def match_vertebrae(truth: CaseTruth, report: StudyReport) -> dict[int, int]:
    """Return the number of the true vertebra for every reported one that is nearest to it, by label."""
    found: dict[int, int] = {}
    best: dict[int, float] = {}
    for v in report.vertebrae:
        gaps = [
            (float(np.linalg.norm(np.subtract(v.centroid_lps_mm, t.centroid_lps_mm))), t.number)
            for t in truth.vertebrae
        ]
        gap, number = min(gaps, default=(np.inf, 0))
        if gap <= SAME_VERTEBRA_MM and gap < best.get(number, np.inf):
            found = {label: n for label, n in found.items() if n != number}
            found[v.label], best[number] = number, gap
    return found


def _compare(
    case: Case, true: VertebraTruth, found: VertebraReport | None, maps: Maps, numbers: dict[int, int],
    *,
    with_pre: bool,
) -> VertebraScore:  # fmt: skip
    clipped = case.clip_hu is not None and (true.cement_opacity_hu or 0.0) > case.clip_hu
    if found is None or not found.treated:
        return VertebraScore(true.level, found=False, clipped=clipped, true_ml=true.cement_volume_ml or 0.0)
    loss = ((case.loss_before if with_pre else case.loss_after) or {}).get(true.level, true.height_loss)
    right, shared = _attributed(case, true, maps, numbers)
    readable, refused = _readable(case, true, found)
    return VertebraScore(
        level=true.level,
        found=True,
        clipped=clipped,
        true_ml=true.cement_volume_ml or 0.0,
        ml=found.cement_volume_ml,
        ci90_ml=found.cement_volume_ml_ci90,
        right_share_ml=right,
        shared_ml=shared,
        true_filling=true.filling_rate,
        filling=found.filling_rate,
        filling_ci90=found.filling_rate_ci90,
        true_category=true.filling_category.value if true.filling_category else None,
        category=found.filling_category.value if found.filling_category else None,
        lesion_source=found.lesion_source.value,
        true_wall_mm=true.posterior_wall_distance_mm,
        wall_mm=found.posterior_wall_distance_mm,
        lesion_dice=_dice(case, true, found, maps),
        true_destruction=true.destruction.value if true.destruction else "none",
        destruction=found.destruction.value if found.destruction else None,
        true_wall_involved=bool(true.posterior_wall_involved),
        wall_involved=found.posterior_wall_involved,
        true_compressed=None if loss is None else loss >= COMPRESSED_FROM,
        compressed=found.compressed,
        readable=readable,
        not_assessable=refused,
    )


def _attributed(case: Case, true: VertebraTruth, maps: Maps, numbers: dict[int, int]) -> tuple[float, float]:
    """Return the cement of a vertebra that the result also shows: given to the right one, and in all, ml."""
    if case.cement is None:
        return 0.0, 0.0
    own = maps["cement"].labels[case.cement.labels == true.number]
    right = [label for label, number in numbers.items() if number == true.number]
    ml = case.cement.grid.voxel_ml
    return float(np.isin(own, right).sum()) * ml, float((own > 0).sum()) * ml


def _dice(case: Case, true: VertebraTruth, found: VertebraReport, maps: Maps) -> float | None:
    if case.lesion is None or not true.lesion_volume_ml or found.lesion_source is not LesionSource.PRE:
        return None
    first, second = case.lesion.labels == true.number, maps["lesion"].labels == found.label
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else None


def _readable(case: Case, true: VertebraTruth, found: VertebraReport) -> tuple[int, tuple[str, ...]]:
    """Return how many compartments of a vertebra can be read, and which of these were called unreadable."""
    order = [v.number for v in case.truth.vertebrae]
    place = order.index(true.number)
    in_view = 0 < place < len(order) - 1
    if case.slice_mm > READABLE_SLICE_MM or case.has_metal or not in_view or found.compartments is None:
        return 0, ()
    names = ("epidural", "foraminal_left", "foraminal_right", "diskal_above", "diskal_below")
    refused = [n for n in names if getattr(found.compartments, n) is CompartmentState.NOT_ASSESSABLE]
    return len(names), tuple(refused)
