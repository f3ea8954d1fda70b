"""Lytic, mixed or blastic: the type of destruction from the volumes of both parts."""

from __future__ import annotations

from cementct.core.findings import Destruction

# Sclerotic share of the lesion's volume within which it is mixed (definition of the report).
MIXED_FROM, MIXED_TO = 0.20, 0.80


def name_destruction(lytic_ml: float, sclerotic_ml: float) -> Destruction:
    """Return the type of destruction; none where neither part has a volume."""
    total = lytic_ml + sclerotic_ml
    if total <= 0:
        return Destruction.NONE
    share = sclerotic_ml / total
    if share < MIXED_FROM:
        return Destruction.OSTEOLYTIC
    return Destruction.MIXED if share <= MIXED_TO else Destruction.OSTEOBLASTIC
