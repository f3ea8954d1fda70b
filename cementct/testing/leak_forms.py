"""Which shape of leak is planned by what."""

from __future__ import annotations

from collections.abc import Callable

from cementct.core.arrays import BoolArray
from cementct.testing.diskal_leaks import plan_into_neighbour, plan_node, plan_spreading
from cementct.testing.epidural_leaks import (
    plan_beyond_wall,
    plan_paired_cords,
    plan_paired_sheets,
    plan_plexus,
)
from cementct.testing.leak_geometry import Plan
from cementct.testing.site import Site
from cementct.testing.spec import LeakShape, LeakSpec
from cementct.testing.veins import plan_spanning, plan_veins

MAKERS: dict[LeakShape, Callable[[Site, LeakSpec, BoolArray], Plan]] = {
    LeakShape.VEINS: plan_veins,
    LeakShape.PLEXUS: plan_plexus,
    LeakShape.PAIRED_CORDS: plan_paired_cords,
    LeakShape.PAIRED_SHEETS: plan_paired_sheets,
    LeakShape.BEYOND_WALL: plan_beyond_wall,
    LeakShape.SPREADING: plan_spreading,
    LeakShape.INTO_NEIGHBOUR: plan_into_neighbour,
    LeakShape.NODE: plan_node,
    LeakShape.SPANNING: plan_spanning,
}
