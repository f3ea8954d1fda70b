"""Heights of a vertebral body on its midsagittal plane, its wedge angle and what height it has lost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import HeightField, Spine, Vertebra
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.findings import Heights
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.levels import Level

# Heights are taken at these shares of the body's depth, from front to back (contract).
DEPTH_SHARES = (0.1, 0.5, 0.9)
# The midsagittal plane is taken this thick, against the steps of voxels, mm to either side.
HALF_THICKNESS_MM = 2.0
# From this loss of height a body counts as compressed (contract; Genant grade 1).
COMPRESSED_FROM = 0.20
# A body whose smallest height is under this share of its greatest is wedged or dished and is no measure for
# its neighbours; sound bodies reach 0.85 (T12, L1 in front; L5 behind).
SOUND_SHAPE = 0.80
# Where no body is sound by that, one that is dished no further than this and not wedged is a measure still:
# so are all bodies of some spines, and what each has lost is seen against the others at each depth.
DISHED_SHAPE = 0.70
# A body lower than this share of the middle one among those around it is crushed as a whole.
SOUND_AMONG_NEIGHBOURS = 0.80
# Bodies farther away than this many levels are of another size and are not compared.
GREATEST_DISTANCE_LEVELS = 4
# Usual height of vertebral bodies at their posterior wall, mm (Panjabi et al., Spine 1991;16:888 and
# 1992;17:299); only how it grows along the spine is used.
USUAL_HEIGHT_MM = {
    Level.T1: 14.1, Level.T2: 15.6, Level.T3: 15.7, Level.T4: 16.2, Level.T5: 16.2, Level.T6: 17.4,
    Level.T7: 18.2, Level.T8: 18.7, Level.T9: 19.3, Level.T10: 20.2, Level.T11: 21.3, Level.T12: 22.7,
    Level.L1: 23.8, Level.L2: 24.3, Level.L3: 23.8, Level.L4: 24.1, Level.L5: 22.9,
}  # fmt: skip
# In front of a place that is higher than this share of middle and back, osteophytes are measured and no body;
# L5, the highest in front, reaches 1.26 (Panjabi).
OSTEOPHYTE_FROM = 1.35
# Levels whose bodies have another shape than those below them.
NOT_COMPARABLE = frozenset({Level.C1, Level.C2, Level.S1})


@dataclass(frozen=True)
class HeightFindings:
    """The heights of one body.

    Attributes
    ----------
    heights_mm
        At 10, 50 and 90 % of the depth; all None where the body is not whole in view.
    wedge_angle_deg
        Angle between the lines of both endplates on the midsagittal plane; positive where the front is lower.
    height_loss
        1 − the smallest of the three heights over what the nearest sound neighbours have there.
    compressed
        Whether that is 0.20 or more; None where `height_loss` is.
    flags
        Why something is None.
    """

    heights_mm: Heights
    wedge_angle_deg: float | None
    height_loss: float | None
    compressed: bool | None
    flags: tuple[QualityFlag, ...] = ()


def measure_heights(vertebra: Vertebra, spine: Spine, *, treated: Collection[int] = ()) -> HeightFindings:
    """Measure the heights of a body and compare them with its nearest sound neighbours.

    Parameters
    ----------
    vertebra
        One of the spine's vertebrae.
    spine
        All vertebrae in view.
    treated
        Positions of treated vertebrae, which are no measure for others.

    Returns
    -------
    HeightFindings
        Without heights where the scan cuts the body; without height loss where no sound neighbour is in view.
    """
    nothing = Heights(anterior=None, middle=None, posterior=None)
    if vertebra.level in NOT_COMPARABLE:
        says = f"{vertebra.level} has no body between two discs; heights are not given."
        return HeightFindings(nothing, None, None, None, (raise_flag(Flag.ANATOMY_UNCERTAIN, says),))
    own = _heights(vertebra) if vertebra.complete else None
    if own is None:
        return HeightFindings(nothing, None, None, None)
    front, middle, back = (float(h) for h in own)
    heights = Heights(anterior=front, middle=middle, posterior=back)
    wedge = _wedge_angle_deg(vertebra)
    expected = _expected(vertebra, spine.vertebrae, treated)
    if expected is None:
        return HeightFindings(heights, wedge, None, None, (raise_flag(Flag.SOUND_NEIGHBOUR_MISSING),))
    loss = float(1.0 - np.min(own / expected))
    return HeightFindings(heights, wedge, loss, loss >= COMPRESSED_FROM)


def _heights(vertebra: Vertebra) -> FloatArray | None:
    """Return the heights in front, in the middle and behind; None where an endplate is missing there."""
    depths = _depths(vertebra)
    if depths is None:
        return None
    upper = _on_midline(vertebra.superior_endplate, depths)
    lower = _on_midline(vertebra.inferior_endplate, depths)
    heights = upper - lower
    return heights if bool(np.all(np.isfinite(heights)) and np.all(heights > 0)) else None


def _depths(vertebra: Vertebra) -> FloatArray | None:
    """Return the posterior coordinates at 10, 50 and 90 % of the depth on the midsagittal plane."""
    ends = [_depth_ends(face) for face in (vertebra.superior_endplate, vertebra.inferior_endplate)]
    known = [pair for pair in ends if pair is not None]
    if len(known) < 2:
        return None
    front, back = np.mean(as_floats(known), axis=0)
    front = _behind_osteophytes(vertebra, float(front), float(back))
    return np.asarray(front + (back - front) * as_floats(DEPTH_SHARES))


def _behind_osteophytes(vertebra: Vertebra, front: float, back: float) -> float:
    """Return where a body begins behind osteophytes on its front edges, which bridge or overhang the disc."""
    depths = np.arange(front, 0.5 * (front + back), 0.5)
    upper, lower = vertebra.superior_endplate, vertebra.inferior_endplate
    rest = front + (back - front) * as_floats(DEPTH_SHARES[1:])
    usual = np.max(_on_midline(upper, rest) - _on_midline(lower, rest))
    heights = _on_midline(upper, depths) - _on_midline(lower, depths)
    higher = depths[heights > OSTEOPHYTE_FROM * usual]
    return front if higher.size == 0 else float(higher[-1])


def _depth_ends(face: HeightField) -> tuple[float, float] | None:
    near = np.abs(face.first_mm) <= HALF_THICKNESS_MM
    known = np.flatnonzero(np.isfinite(face.height_mm[near]).any(axis=0))
    if known.size < 3:
        return None
    half = 0.5 * float(face.second_mm[1] - face.second_mm[0])
    return float(face.second_mm[known[0]]) - half, float(face.second_mm[known[-1]]) + half


def _on_midline(face: HeightField, depths_mm: FloatArray) -> FloatArray:
    """Return the heights of a face near its midline at the given depths; NaN where it has none."""
    near = np.abs(face.first_mm) <= HALF_THICKNESS_MM
    strip = face.height_mm[near]
    known = np.isfinite(strip).any(axis=0)
    if np.count_nonzero(known) < 3:
        return np.full(depths_mm.shape, np.nan)
    line = np.nanmean(strip[:, known], axis=0)
    return np.asarray(np.interp(depths_mm, face.second_mm[known], line))


def _wedge_angle_deg(vertebra: Vertebra) -> float | None:
    depths = _depths(vertebra)
    if depths is None:
        return None
    along = np.linspace(depths[0], depths[-1], 21)
    slopes = []
    for face in (vertebra.superior_endplate, vertebra.inferior_endplate):
        heights = _on_midline(face, along)
        if not np.all(np.isfinite(heights)):
            return None
        slopes.append(float(np.polyfit(along, heights, 1)[0]))
    return float(np.degrees(np.arctan(slopes[0]) - np.arctan(slopes[1])))


def _expected(
    vertebra: Vertebra, vertebrae: Sequence[Vertebra], treated: Collection[int]
) -> FloatArray | None:
    """Return the heights that sound neighbours would give this vertebra: interpolated between both sides."""
    sound = sound_heights([v for v in vertebrae if v.position not in treated and v is not vertebra])
    here = vertebra.position
    near = {p: h for p, h in sound.items() if abs(p - here) <= GREATEST_DISTANCE_LEVELS and p != here}
    above = max((p for p in near if p < here), default=None)
    below = min((p for p in near if p > here), default=None)
    if above is None or below is None:
        only = above if below is None else below
        return None if only is None else near[only] * _growth(vertebrae, only, here)
    share = (here - above) / (below - above)
    return np.asarray((1 - share) * near[above] + share * near[below])


def _growth(vertebrae: Sequence[Vertebra], of: int, at: int) -> float:
    """Return how much higher bodies usually are at one position than at another; 1 where levels are unknown.

    With sound neighbours on one side only there is nothing to interpolate.
    """
    levels = {v.position: v.level for v in vertebrae}
    here, there = levels.get(at), levels.get(of)
    if here not in USUAL_HEIGHT_MM or there not in USUAL_HEIGHT_MM:
        return 1.0
    return USUAL_HEIGHT_MM[here] / USUAL_HEIGHT_MM[there]


def sound_heights(vertebrae: Sequence[Vertebra]) -> dict[int, FloatArray]:
    """Return the heights of those bodies that may serve as a measure, by position.

    Sound is a body that is whole in view, neither wedged nor dished, and not crushed as a whole when compared
    with the middle one of those around it. Where all are dished, a little dished is sound.
    """
    whole = {v.position: _heights(v) for v in vertebrae if v.complete and v.level not in NOT_COMPARABLE}
    measured = {position: own for position, own in whole.items() if own is not None}
    shaped = {position: own for position, own in measured.items() if _shape(own) >= SOUND_SHAPE}
    if not shaped:
        shaped = {
            position: own
            for position, own in measured.items()
            if _shape(own) >= DISHED_SHAPE and _shape(own[[0, 2]]) >= SOUND_SHAPE
        }
    sound = {}
    for position, own in shaped.items():
        around = [h for p, h in shaped.items() if 0 < abs(p - position) <= GREATEST_DISTANCE_LEVELS]
        usual = np.median(as_floats(around), axis=0) if len(around) >= 2 else own
        if float(np.min(own / usual)) >= SOUND_AMONG_NEIGHBOURS:
            sound[position] = own
    return sound


def _shape(heights_mm: FloatArray) -> float:
    """Return the smallest of some heights over the greatest."""
    return float(heights_mm.min() / heights_mm.max())
