"""Numbers of a report, rounded to what can be meant by them, once and for every form of it."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from cementct.core.findings import FillingCategory, StudyReport

# Decimals by what stands in a number's name; the first that matches counts. A microlitre, a hundredth of a
# millimetre and a tenth of a degree lie below what CT can tell, and above what a reader would miss.
_DECIMALS: tuple[tuple[str, int], ...] = (
    ("spacing_mm", 6),
    ("_ml", 3),
    ("_mm", 2),
    ("_deg", 1),
)
# Rates, shares, ratios, probabilities and confidences.
_DECIMALS_OF_SHARES = 4


def rounded(report: StudyReport) -> StudyReport:
    """Return the report with its numbers rounded; minus zero becomes zero, and what is no number None."""
    plain = msgspec.to_builtins(report)
    for vertebra in plain["vertebrae"]:
        shares = vertebra["filling_category_probability"]
        if shares is not None:
            vertebra["filling_category_probability"] = {c: shares[c] for c in FillingCategory if c in shares}
    return msgspec.convert(_round(plain, decimals=_DECIMALS_OF_SHARES), StudyReport)


def _round(value: Any, *, decimals: int) -> Any:
    if isinstance(value, float):
        return round(value, decimals) + 0.0 if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _round(item, decimals=_decimals_of(key, decimals)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_round(item, decimals=decimals) for item in value]
    return value


def _decimals_of(name: str, otherwise: int) -> int:
    return next((decimals for part, decimals in _DECIMALS if part in name), otherwise)
