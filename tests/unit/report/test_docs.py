"""The page that explains the report names every field of it."""

from pathlib import Path

import pytest

from cementct.core import findings

PAGE = Path(__file__).parents[3] / "docs" / "report.md"


@pytest.mark.parametrize(
    "struct",
    [
        findings.StudyReport,
        findings.StudyDescription,
        findings.VertebraReport,
        findings.Leak,
        findings.Compartments,
    ],
)
def test_every_field_is_explained(struct: type) -> None:
    text = PAGE.read_text(encoding="utf-8").replace("`…_ci90`", "cement_volume_ml_ci90 filling_rate_ci90")

    missing = [name for name in struct.__struct_fields__ if name not in text]  # type: ignore[attr-defined]

    assert missing == []
