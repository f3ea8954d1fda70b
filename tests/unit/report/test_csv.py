"""The report as a table for spreadsheets."""

import csv
import io

import msgspec

from cementct.core.findings import StudyReport
from cementct.report.csv import columns, encode_csv, encode_rows


def rows_of(report: StudyReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(encode_csv(report).decode())))


def test_there_is_one_row_a_vertebra_from_top_to_bottom(report: StudyReport) -> None:
    assert [row["level"] for row in rows_of(report)] == ["T11", "T12", "L1", "L2", "L3"]


def test_each_scalar_has_a_column_of_its_own(report: StudyReport) -> None:
    row = rows_of(report)[3]

    assert row["cement_volume_ml"] == "5.4"
    assert (row["cement_volume_ml_ci90_low"], row["cement_volume_ml_ci90_high"]) == ("5.1", "5.7")
    assert row["heights_anterior_mm"] == "21.0"
    assert row["foramen_distance_left_mm"] == "8.0"
    assert row["compartment_epidural"] == "present"
    assert row["registration_ok"] == "true"
    assert row["filling_probability_75-90%"] == "0.94"


def test_leaks_are_summed_by_type_and_only_definite_ones_count(report: StudyReport) -> None:
    twelfth, second = rows_of(report)[1], rows_of(report)[3]

    assert (second["leak_diskal_ml"], second["leak_diskal_n"]) == ("0.31", "1")
    assert (second["leak_access-track_ml"], second["leak_access-track_n"]) == ("0.0", "0")
    assert (twelfth["leak_epidural_ml"], twelfth["leak_epidural_n"]) == ("0.0", "0")
    assert twelfth["leaks_possible_n"] == "1"


def test_flags_are_joined_by_spaces_and_what_is_unknown_is_empty(report: StudyReport) -> None:
    row = rows_of(report)[1]

    assert row["quality"] == "filling-biased-high leak-possible"
    assert row["foramen_distance_right_mm"] == ""
    assert row["registration_ok"] == ""


def test_the_columns_are_the_same_without_any_vertebra(report: StudyReport) -> None:
    empty = encode_csv(msgspec.structs.replace(report, vertebrae=()))

    assert empty.decode() == ",".join(columns()) + "\n"


def test_text_that_a_spreadsheet_would_run_is_made_harmless_and_numbers_stay() -> None:
    cells = encode_rows(["study", "z"], [{"study": "=cmd()", "z": -1.5}, {"study": "-2", "z": None}])

    assert cells.decode() == "study,z\n'=cmd(),-1.5\n'-2,\n"
