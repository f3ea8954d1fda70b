"""How likely a dense piece apart from the seeds is cement, as learned from simulated and implanted cement.

No single property tells a dilute leak from the edge of a bone: both are as bright, and both lie against bone.
Small decision trees, added up, weigh all of them. They were learned by ``python -m benchmarks.cement_pieces``
from pieces of known truth; where physics says that a property can only speak for cement, or only against it,
they were held to that. `piece_trees.npz` keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.segmentation.cement.piece import PieceFeatures

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.int32]]

# What is weighed, in the order of the trees' variables, and in which direction it may speak: for cement (1),
# against it (-1), or either way (0).
DIRECTIONS = {
    "log_gap_to_seeds": -1,
    "log_gap_to_treated": 0,
    "log_gap_to_body": 0,
    "log_volume": 0,
    "log_mass": 0,
    "log_peak_excess": 1,
    "log_share_of_source": 1,
    "log_share_of_cortex": 1,
    "share_canal": 0,
    "share_neural": 0,
    "share_disc": 0,
    "share_bone": 0,
    "share_treated_bone": 0,
    "share_other": -1,
    "share_free": 1,
    "in_neighbour_body": -1,
    "hollow_share": -1,
    "bone_contact": -1,
    "soft_contact": 1,
    "share_known": 0,
    "at_scan_edge": -1,
    "is_behind": 0,
    "is_next_to_cement": 0,
    "reach_away_mm": 0,
    "thickness_mm": 1,
    "mean_bone_depth_mm": 0,
    "coarsest_mm": 0,
    "like_other_side": -1,
    "like_other_levels": -1,
}
# Bounds within which properties are looked at: what lies far beyond everything learned changes nothing.
GAP_BOUNDS_MM = (0.3, 60.0)
VOLUME_BOUNDS_ML = (1e-3, 10.0)
EXCESS_BOUNDS_HU = (100.0, 3000.0)
SHARE_BOUNDS = (0.05, 2.0)
REACH_BOUNDS_MM = (-3.0, 12.0)
DEPTH_BOUNDS_MM = (-8.0, 4.0)
THICKEST_MM = 5.0


@dataclass(frozen=True)
class Trees:
    """Decision trees, one after the other in the same arrays.

    Attributes
    ----------
    roots
        First node of each tree.
    variable, threshold
        What a node asks (a place among `DIRECTIONS`, -1 at ends), and up to which value it goes left.
    left, right
        The nodes that follow.
    value
        What an end adds to the logarithm of the odds.
    """

    roots: Numbers
    variable: Numbers
    threshold: FloatArray
    left: Numbers
    right: Numbers
    value: FloatArray

    def odds(self, values: FloatArray) -> float:
        """Return the logarithm of the odds that a piece is cement."""
        node = self.roots.copy()
        while True:
            asked = self.variable[node]
            inner = np.flatnonzero(asked >= 0)
            if inner.size == 0:
                return float(self.value[node].sum())
            at = node[inner]
            goes_left = values[asked[inner]] <= self.threshold[at]
            node[inner] = np.where(goes_left, self.left[at], self.right[at])


def probability_of_cement(piece: PieceFeatures) -> float:
    """Return how likely a piece apart from the seeds is cement, 0 to 1."""
    return float(1.0 / (1.0 + np.exp(-_trees().odds(variables_of(piece)))))


def variables_of(piece: PieceFeatures) -> FloatArray:
    """Return what is weighed of a piece, in the order of `DIRECTIONS`."""
    values = {
        "log_gap_to_seeds": np.log(np.clip(piece.gap_to_seeds_mm, *GAP_BOUNDS_MM)),
        "log_gap_to_treated": np.log(np.clip(piece.gap_to_treated_mm, *GAP_BOUNDS_MM)),
        "log_gap_to_body": np.log(np.clip(piece.gap_to_body_mm, *GAP_BOUNDS_MM)),
        "log_volume": np.log(np.clip(piece.volume_ml, *VOLUME_BOUNDS_ML)),
        "log_mass": np.log(np.clip(piece.mass_ml, *VOLUME_BOUNDS_ML)),
        "log_peak_excess": np.log(np.clip(piece.peak_excess_hu, *EXCESS_BOUNDS_HU)),
        "log_share_of_source": np.log(np.clip(piece.share_of_source, *SHARE_BOUNDS)),
        "log_share_of_cortex": np.log(np.clip(piece.share_of_cortex, *SHARE_BOUNDS)),
        "reach_away_mm": np.clip(piece.reach_away_mm, *REACH_BOUNDS_MM),
        "thickness_mm": min(piece.thickness_mm, THICKEST_MM),
        "mean_bone_depth_mm": np.clip(piece.mean_bone_depth_mm, *DEPTH_BOUNDS_MM),
    }
    return np.array([float(values.get(name, getattr(piece, name, 0.0))) for name in DIRECTIONS])


@cache
def _trees() -> Trees:
    with (files(__package__) / "piece_trees.npz").open("rb") as stream:
        stored = np.load(stream)
        names = ("roots", "variable", "threshold", "left", "right", "value")
        return Trees(*(stored[name] for name in names))
