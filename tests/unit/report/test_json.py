"""The report as JSON: every key, rounded, the same bytes every time."""

import json
import math

import msgspec
import pytest

from cementct.core.findings import StudyReport
from cementct.report.json import decode_report, encode_report
from cementct.report.rounding import rounded

VERTEBRA_KEYS = [
    *("level", "label", "level_source", "centroid_lps_mm", "complete", "treated", "body_volume_ml"),
    *("cement_volume_ml", "cement_volume_ml_ci90", "cement_in_body_ml", "cement_in_pedicle_ml"),
    *("cement_to_body_ratio", "lesion_volume_ml", "lesion_source", "filling_rate", "filling_rate_ci90"),
    *("filling_category", "filling_category_probability", "leaks", "compartments"),
    *("posterior_wall_distance_mm", "foramen_distance_mm", "cement_within_5mm", "posterior_wall_involved"),
    *("destruction", "heights_mm", "wedge_angle_deg", "compressed", "height_loss", "anatomy_confidence"),
    *("registration", "quality"),
]


def test_every_key_of_the_contract_is_there_for_every_vertebra_treated_or_not(report: StudyReport) -> None:
    found = json.loads(encode_report(report))

    assert list(found) == ["schema_version", "software", "study", "vertebrae", "quality"]
    assert {"post", "pre", "ignored_series", "remote_deposits"} <= set(found["study"])
    for vertebra in found["vertebrae"]:
        assert list(vertebra) == VERTEBRA_KEYS


def test_every_leak_has_every_key(report: StudyReport) -> None:
    leaks = [leak for v in json.loads(encode_report(report))["vertebrae"] for leak in v["leaks"]]

    assert len(leaks) == 4
    for leak in leaks:
        assert list(leak) == [
            *("type", "certainty", "volume_ml", "side", "centroid_lps_mm", "between", "thickness_mm"),
            *("canal_area_share", "vessel_like"),
        ]


def test_the_same_findings_give_the_same_bytes_that_end_with_a_newline(report: StudyReport) -> None:
    assert encode_report(report) == encode_report(report)
    assert encode_report(report).endswith(b"}\n")


def test_what_was_written_is_read_back_as_it_was_rounded(report: StudyReport) -> None:
    assert decode_report(encode_report(report)) == rounded(report)


def test_rounding_twice_changes_nothing(report: StudyReport) -> None:
    assert rounded(rounded(report)) == rounded(report)


def test_volumes_have_three_decimals_lengths_two_angles_one_and_shares_four(report: StudyReport) -> None:
    vertebra = rounded(report).vertebrae[3]

    assert vertebra.centroid_lps_mm[0] == 1.23
    assert vertebra.cement_to_body_ratio == 0.1571
    assert rounded(report).study.post.spacing_mm == (1.0, 0.703125, 0.703125)


def test_there_is_no_minus_zero_and_no_number_that_is_none(report: StudyReport) -> None:
    assert b"-0.0," not in encode_report(report)
    worse = msgspec.structs.replace(report.vertebrae[1], body_volume_ml=math.nan, height_loss=math.inf)
    broken = msgspec.structs.replace(report, vertebrae=(worse,))

    vertebra = json.loads(encode_report(broken))["vertebrae"][0]

    assert vertebra["wedge_angle_deg"] == 0.0
    assert math.copysign(1.0, vertebra["wedge_angle_deg"]) == 1.0
    assert vertebra["body_volume_ml"] is None
    assert vertebra["height_loss"] is None


def test_filling_categories_stand_in_their_own_order(report: StudyReport) -> None:
    vertebra = json.loads(encode_report(report))["vertebrae"][3]

    assert list(vertebra["filling_category_probability"]) == ["50-75%", "75-90%"]


def test_what_is_no_report_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="expected a report of cementct"):
        decode_report(b'{"a": 1}')
