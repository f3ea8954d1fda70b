"""What a vertebra engine hands over: labelled vertebrae and the landmarks that name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.core.findings import LevelSource
from cementct.core.frame import Frame
from cementct.core.image import LabelMap, Mask
from cementct.core.levels import Level


@dataclass(frozen=True)
class SpineLabels:
    """Labelled vertebrae of one volume, before their geometry is measured.

    The numbers are the engine's own and carry no meaning; `levels` names those it knows.

    Attributes
    ----------
    vertebrae
        Whole vertebrae: body, pedicles and posterior elements, on the volume's grid.
    bodies
        Vertebral bodies under the same numbers, where the engine separates them; else None, and the body is
        cut from the posterior elements at the plane of the posterior wall.
    levels
        The level of a number, where the engine knows it for certain (a label file).
    level_source
        What `levels` was taken from.
    frames
        Body frames under the same numbers, where the engine fits them itself.
    canal
        The spinal canal, where the engine finds it itself.
    sacrum
        The sacrum, where the engine finds it; S1 may stand in `vertebrae` as well.
    other_bone
        Bone near the spine that is no found vertebra's: ribs, the arches of vertebrae that the scan cuts off.
    rib_bearing
        Whether ribs spring from a number: True, False, or absent where it cannot be seen.
    last_above_sacrum
        The number that rests on the sacrum, where the sacrum is in view.
    left_organs, right_organs
        Centres (LPS, shape (n, 3)) of labelled organs that lie on the left and on the right in nearly
        everybody; n is 0 where none is labelled.
    confidence
        Per number, between 0 and 1: how far geometric checks support the outline.
    rebuilt_walls
        Numbers whose posterior wall the engine inferred over much of its area.
    notes
        Sentences about what the engine could not do, per number; 0 for the whole volume.
    are_drawn
        Whether somebody drew the outlines, or a network did; else an engine followed bone by its density.
    """

    vertebrae: LabelMap
    bodies: LabelMap | None = None
    levels: Mapping[int, Level] = field(default_factory=dict)
    level_source: LevelSource = LevelSource.UNKNOWN
    frames: Mapping[int, Frame] = field(default_factory=dict)
    canal: Mask | None = None
    sacrum: Mask | None = None
    other_bone: Mask | None = None
    rib_bearing: Mapping[int, bool] = field(default_factory=dict)
    last_above_sacrum: int | None = None
    left_organs: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    right_organs: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    confidence: Mapping[int, float] = field(default_factory=dict)
    rebuilt_walls: frozenset[int] = frozenset()
    notes: Mapping[int, str] = field(default_factory=dict)
    are_drawn: bool = True
