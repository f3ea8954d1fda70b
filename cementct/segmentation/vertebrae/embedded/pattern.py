"""The pattern that every vertebra repeats along the spine, and how well a stretch of spine matches it.

A stretch is looked at from a little below the disc under the vertebra to a little above the disc over it: the
change of bone in each band (`bands`) and the evidence for discs (`discs`). Weights tell vertebrae from
stretches that begin or end elsewhere: half a vertebra too high, two vertebrae at once, the sacrum. They are
learned, one set each for cervical, thoracic and lumbar vertebrae, by ridge regression (`pattern.npz`, made by
benchmarks/vertebra_pattern). What is not in view adds nothing, so that vertebrae cut by the scan are
judged by what is left of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from cementct.core.arrays import Float32Array, FloatArray
from cementct.segmentation.vertebrae.embedded.bands import describe_bands
from cementct.segmentation.vertebrae.embedded.column import BodyColumn
from cementct.segmentation.vertebrae.embedded.discs import DiscEvidence
from cementct.segmentation.vertebrae.embedded.straighten import StraightSpine

# Places along one vertebra, 0 being the middle of the disc below it and 1 that of the disc above.
PHASES = np.linspace(-0.15, 1.15, 27)
# Brings the evidence for discs to the scale of the changes in the bands.
DISC_SCALE = 0.5


@dataclass(frozen=True)
class Match:
    """How well vertebrae match that begin at each step and are as long as each spacing.

    Attributes
    ----------
    score
        Around 1 for vertebrae, around -1 for other stretches, less where less is in view; (along, spacing).
    seen
        Share of the stretch that is in view.
    """

    score: FloatArray
    seen: FloatArray


def describe_steps(
    spine: StraightSpine, column: BodyColumn, evidence: DiscEvidence, beyond_mm: int
) -> Float32Array:
    """Return what the pattern looks at, (along, feature): bands, discs, and 1 where measured.

    The steps begin and end `beyond_mm` outside the straightened spine, with zeros.
    """
    measured = spine.measured()[:, None]
    parts = [describe_bands(spine, column), DISC_SCALE * evidence.score[:, None] * measured, measured]
    steps = np.concatenate(parts, axis=1).astype(np.float32)
    return np.pad(steps, ((beyond_mm, beyond_mm), (0, 0)))


def match_pattern(steps: Float32Array, spacings_mm: np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> Match:
    """Return how well each stretch matches the pattern of a vertebra, the best over its kinds.

    Parameters
    ----------
    steps
        From `describe_steps`.
    spacings_mm
        Lengths from disc to disc.
    """
    length = len(steps)
    offsets = np.round(PHASES * spacings_mm[:, None]).astype(np.intp)
    margin = int(np.abs(offsets).max())
    measured = np.pad(steps[:, -1], margin)
    places = np.arange(length)[:, None] + margin
    weights, constants = _weights()
    seen = np.zeros((length, len(spacings_mm)))
    score = np.full((len(weights), length, len(spacings_mm)), 0.0)
    responses = [np.pad(steps[:, :-1] @ weight.T, ((margin, margin), (0, 0))) for weight in weights]
    for phase in range(len(PHASES)):
        at = places + offsets[:, phase]
        seen += measured[at]
        for kind, response in enumerate(responses):
            score[kind] += response[at, phase]
    seen /= len(PHASES)
    score += constants[:, None, None] * seen
    return Match(np.asarray(score.max(axis=0)), seen)


@cache
def _weights() -> tuple[Float32Array, FloatArray]:
    """Return the learned weights, (kind, phase, feature), and the constant of each kind."""
    with (files(__package__) / "pattern.npz").open("rb") as stream:
        stored = np.load(stream)
        return stored["weights"].astype(np.float32), stored["constants"].astype(np.float64)
