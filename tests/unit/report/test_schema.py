"""The JSON schema, and the registry of flags within it."""

import json

import pytest

from cementct.core.findings import StudyReport
from cementct.core.flags import REGISTRY, Flag
from cementct.report.json import encode_report
from cementct.report.schema import encode_schema, report_schema


def test_the_schema_lists_every_flag_with_its_severity_and_meaning() -> None:
    flags = report_schema()["x-flags"]

    assert set(flags) == {flag.value for flag in Flag} == set(report_schema()["$defs"]["Flag"]["enum"])
    assert flags["level-unknown"] == {
        "severity": "stop",
        "meaning": REGISTRY[Flag.LEVEL_UNKNOWN].meaning,
    }


def test_every_key_is_required_and_no_other_is_allowed() -> None:
    vertebra = report_schema()["$defs"]["VertebraReport"]

    assert vertebra["required"] == list(vertebra["properties"])
    assert vertebra["additionalProperties"] is False


def test_a_field_carries_the_words_of_its_docstring() -> None:
    leak = report_schema()["$defs"]["Leak"]

    assert leak["description"] == "One leak of one type."
    assert leak["properties"]["volume_ml"]["description"] == "Partial-volume estimate."


def test_the_printed_schema_is_json() -> None:
    assert json.loads(encode_schema()) == json.loads(json.dumps(report_schema()))


def test_a_report_is_valid_and_one_without_a_key_is_not(report: StudyReport) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    checker = jsonschema.Draft202012Validator(report_schema())
    good = json.loads(encode_report(report))

    checker.validate(good)
    del good["vertebrae"][0]["level_source"]
    with pytest.raises(jsonschema.ValidationError):
        checker.validate(good)
