"""The 90 % interval of a cement volume: errors of measuring, and of what was missed or is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.segmentation.model import Cement

# Half width of a 90 % interval of a normal distribution, in standard deviations.
HALF_WIDTH_90 = 1.645
# All shares below are of a vertebra's volume and stand for what one vertebra in twenty exceeds. They were
# found on the tuning half of the accuracy bench, by what was missed or taken for cement there.
#
# Cement as opaque as this is told from bone wherever it lies; at the second level, hardly where it touches
# bone. Between them what may have been missed grows with the square.
OPAQUE_HU, AS_FAINT_AS_BONE_HU = 2000.0, 1000.0
MISSED, MISSED_WHERE_FAINT = 0.012, 0.34
# An earlier scan shows what is new, and leaves so much of that.
LEFT_BY_EARLIER_SCAN = 0.5
# What is taken for cement and is the edge of bone, a calcification or a neighbour's.
ADDED = 0.028
# Where the anatomy was found, not given, cement may hide in what was labelled as bone, and bone outside the
# labels may pass for cement: always, and for each unit of confidence that is lacking.
MISSED_BY_LABELS, MISSED_BY_DOUBT = 0.03, 0.25
ADDED_BY_LABELS, ADDED_BY_DOUBT = 0.02, 0.17


@dataclass(frozen=True)
class Unseen:
    """What a search may have got wrong, as what one vertebra in twenty exceeds.

    Attributes
    ----------
    missed_ml
        Cement that was not found.
    added_ml
        What was taken for cement and is none.
    """

    missed_ml: float
    added_ml: float


def unseen_in(cement: Cement, vertebra: Vertebra, volume_ml: float) -> Unseen:
    """Return what the search for a vertebra's cement may have got wrong.

    Parameters
    ----------
    cement
        All cement in a volume.
    vertebra
        The vertebra that some of it came from.
    volume_ml
        How much that is.
    """
    if cement.drawn:
        return Unseen(0.0, 0.0)
    own = [d for d in cement.properties if d.owner == vertebra.number]
    plateau_hu = max(own, key=lambda d: d.volume_ml).plateau_hu if own else AS_FAINT_AS_BONE_HU
    faint = float(np.clip((OPAQUE_HU - plateau_hu) / (OPAQUE_HU - AS_FAINT_AS_BONE_HU), 0.0, 1.0))
    missed, added = MISSED + MISSED_WHERE_FAINT * faint**2, ADDED
    if not vertebra.is_drawn:
        missed += MISSED_BY_LABELS + MISSED_BY_DOUBT * (1.0 - vertebra.confidence)
        added += ADDED_BY_LABELS + ADDED_BY_DOUBT * (1.0 - vertebra.confidence)
    known = cement.known_share.get(vertebra.number, 0.0)
    missed *= 1.0 - (1.0 - LEFT_BY_EARLIER_SCAN) * known
    # Loose pieces are whole or not at all of this vertebra.
    others_ml = sum(d.volume_ml for d in cement.properties if vertebra.number in d.rivals)
    doubtful_ml = sum(d.volume_ml for d in own if d.rivals)
    return Unseen(
        float(np.hypot(missed * volume_ml, others_ml)), float(np.hypot(added * volume_ml, doubtful_ml))
    )


def interval_90_ml(volume_ml: float, sd_ml: float, unseen: Unseen) -> tuple[float, float]:
    """Return the interval that holds the truth nine times in ten; it need not be symmetric.

    Parameters
    ----------
    volume_ml, sd_ml
        The estimate, and the standard deviation of measuring it.
    unseen
        What the search may have got wrong.
    """
    measuring_ml = HALF_WIDTH_90 * sd_ml
    low_ml = volume_ml - float(np.hypot(measuring_ml, unseen.added_ml))
    high_ml = volume_ml + float(np.hypot(measuring_ml, unseen.missed_ml))
    return max(0.0, low_ml), high_ml
