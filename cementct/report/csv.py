"""The report as a table: one row a vertebra, one column a scalar."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from cementct.core.findings import (
    Certainty,
    Compartments,
    FillingCategory,
    LeakType,
    StudyReport,
    VertebraReport,
)
from cementct.report.rounding import rounded

Cell = str | int | float | bool | None

# A spreadsheet takes a cell that begins so for a formula; an apostrophe in front makes it text.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def encode_csv(report: StudyReport) -> bytes:
    """Return the report as UTF-8 CSV: a header, then one row a vertebra from top to bottom."""
    return encode_rows(columns(), (vertebra_row(vertebra) for vertebra in rounded(report).vertebrae))


def encode_rows(names: Iterable[str], rows: Iterable[Mapping[str, Cell]]) -> bytes:
    """Return rows as UTF-8 CSV; missing values are empty, truth values ``true`` and ``false``."""
    names = list(names)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_as_text(row.get(name)) for name in names])
    return text.getvalue().encode("utf-8")


def columns() -> list[str]:
    """Return the names of all columns, the same for every study."""
    return [
        *("level", "label", "level_source", "centroid_x_lps_mm", "centroid_y_lps_mm", "centroid_z_lps_mm"),
        *("complete", "treated", "body_volume_ml"),
        *("cement_volume_ml", "cement_volume_ml_ci90_low", "cement_volume_ml_ci90_high"),
        *("cement_in_body_ml", "cement_in_pedicle_ml", "cement_to_body_ratio"),
        *("lesion_volume_ml", "lesion_source"),
        *("filling_rate", "filling_rate_ci90_low", "filling_rate_ci90_high", "filling_category"),
        *(_probability_column(category) for category in FillingCategory),
        *(name for kind in LeakType for name in (f"leak_{kind.value}_ml", f"leak_{kind.value}_n")),
        "leaks_possible_n",
        *(f"compartment_{name}" for name in Compartments.__struct_fields__),
        *("posterior_wall_distance_mm", "foramen_distance_left_mm", "foramen_distance_right_mm"),
        *("cement_within_5mm", "posterior_wall_involved", "destruction"),
        *("heights_anterior_mm", "heights_middle_mm", "heights_posterior_mm", "wedge_angle_deg"),
        *("compressed", "height_loss", "anatomy_confidence", "registration_ok", "registration_residual_mm"),
        "quality",
    ]


def vertebra_row(vertebra: VertebraReport) -> dict[str, Cell]:
    """Return one vertebra as cells by the name of their column."""
    plain: dict[str, Any] = msgspec.to_builtins(vertebra)
    row: dict[str, Cell] = {name: plain[name] for name in columns() if name in plain}
    for axis, value in zip("xyz", plain["centroid_lps_mm"], strict=True):
        row[f"centroid_{axis}_lps_mm"] = value
    for name in ("cement_volume_ml_ci90", "filling_rate_ci90"):
        row[f"{name}_low"], row[f"{name}_high"] = plain[name] or (None, None)
    _add_nested(row, plain["compartments"], "compartment_{}")
    _add_nested(row, plain["foramen_distance_mm"], "foramen_distance_{}_mm")
    _add_nested(row, plain["heights_mm"], "heights_{}_mm")
    _add_nested(row, plain["registration"], "registration_{}")
    for category in FillingCategory:
        probabilities = vertebra.filling_category_probability
        row[_probability_column(category)] = (
            None if probabilities is None else probabilities.get(category, 0.0)
        )
    _add_leaks(row, vertebra)
    row["quality"] = " ".join(dict.fromkeys(doubt.flag.value for doubt in vertebra.quality))
    return row


def _add_leaks(row: dict[str, Cell], vertebra: VertebraReport) -> None:
    """Add volume and number of the definite leaks of each type, and the number of possible ones."""
    for kind in LeakType:
        found = [
            leak.volume_ml
            for leak in vertebra.leaks
            if leak.type is kind and leak.certainty is Certainty.DEFINITE
        ]
        row[f"leak_{kind.value}_ml"] = round(math.fsum(found), 3)
        row[f"leak_{kind.value}_n"] = len(found)
    row["leaks_possible_n"] = sum(leak.certainty is Certainty.POSSIBLE for leak in vertebra.leaks)


def _add_nested(row: dict[str, Cell], values: dict[str, Cell] | None, pattern: str) -> None:
    for name, value in (values or {}).items():
        row[pattern.format(name)] = value


def _probability_column(category: FillingCategory) -> str:
    return f"filling_probability_{category.value}"


def _as_text(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return repr(value)
