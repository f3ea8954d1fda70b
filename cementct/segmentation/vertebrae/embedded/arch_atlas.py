"""Where vertebrae have bone behind their bodies, and where ribs, sacrum and iliac bones lie beside them.

Counted on measured vertebrae of several sizes (`posterior_atlas.npz`, made by
benchmarks/make_posterior_atlas.py): their distance from disc to disc tells thoracic from lumbar ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from cementct.core.arrays import BoolArray, FloatArray
from cementct.segmentation.vertebrae.embedded.block import Placement
from cementct.segmentation.vertebrae.embedded.body import BodyOutline
from cementct.segmentation.vertebrae.embedded.posterior_wall import PosteriorWall

Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

# First, last and step of the atlas along the spine (shares of the disc-to-disc spacing from the middle of the
# body), towards the back from the middle of the canal, and to either side of the midline.
PHASES = (-1.5, 1.1, 0.05)
BACK_MM = (-18.0, 54.0, 2.0)
ASIDE_MM = (0.0, 52.0, 2.0)
# Disc-to-disc spacings that the atlas was counted for: upper thoracic to lower lumbar vertebrae.
NODES_MM = (20.0, 25.0, 30.0, 35.0)
# Canal and foramina between a body's wall, or its cortex where it was drawn too thin, and the canal's middle:
# so far to either side, within this share of the spacing from the body's middle, and where fewer of 255
# vertebrae have bone.
HOLLOW_ASIDE_MM, HOLLOW_PHASE, HOLLOW_SHARE = 12.0, 0.6, 20
WALL_MM = 0.3
# Spacings are medians over so many vertebrae to either side: a compressed body keeps its arch.
NEIGHBOURS = 2


@dataclass(frozen=True)
class Arch:
    """Where a vertebra's arch is looked for: a vertebra in view, or the next one beyond the outermost.

    Attributes
    ----------
    placement
        Centre and axes of the body.
    spacing_mm
        Disc-to-disc distance of vertebrae around it.
    canal_back_mm
        Back coordinate of the canal's middle.
    posterior_wall
        Of its body; all in front of it is none of its arch.
    """

    placement: Placement
    spacing_mm: float
    canal_back_mm: float
    posterior_wall: PosteriorWall

    def heights_mm(self) -> tuple[float, float]:
        """Return the lowest and the highest place along the grid's first axis that the atlas reaches."""
        corners = self.corners()
        return float(corners[:, 0].min()), float(corners[:, 0].max())

    def corners(self) -> FloatArray:
        """Return the corners of what the atlas reaches, (8, 3), index times spacing."""
        shares = np.array([(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
        left = np.array([-ASIDE_MM[1], ASIDE_MM[1]])[shares[:, 0]]
        back = np.array(BACK_MM[:2])[shares[:, 1]] + self.canal_back_mm
        up = np.array(PHASES[:2])[shares[:, 2]] * self.spacing_mm
        return self.placement.to_grid_mm(left, back, up)

    def shares_at(self, points_mm: FloatArray) -> tuple[Bytes, Bytes, BoolArray, BoolArray, BoolArray]:
        """Return how often (0 to 255) places are this vertebra's and other bone's, and where they lie.

        The first mask tells what is behind the canal's middle, the second what lies in front of it and behind
        the wall, and the third what of that is in canal or foramina, where no vertebra has bone.

        Parameters
        ----------
        points_mm
            Grid positions times spacing, shape (3, n).
        """
        place = self.placement
        relative = points_mm - place.centre_mm.astype(np.float32)[:, None]
        left, back, up = (axis.astype(np.float32) @ relative for axis in (place.left, place.back, place.up))
        own, other = _atlas_at(round(self.spacing_mm))
        index = []
        for values, (first, _, step), padding, count in (
            (up / np.float32(self.spacing_mm), PHASES, 1, own.shape[0]),
            (back - np.float32(self.canal_back_mm), BACK_MM, 1, own.shape[1]),
            (np.abs(left), ASIDE_MM, 0, own.shape[2]),
        ):
            cell = np.floor((values - np.float32(first)) / np.float32(step)).astype(np.intp) + padding
            index.append(np.clip(cell, 0, count - 1))
        flat = np.ravel_multi_index(tuple(index), own.shape)
        mine, others = own.ravel()[flat], other.ravel()[flat]
        behind = back > self.canal_back_mm
        some = np.flatnonzero(~behind)
        behind_wall_mm = back[some] - self.posterior_wall.at(left[some], up[some])
        mine[some[behind_wall_mm <= 0]] = 0
        recess, hollow = np.zeros((2, len(mine)), dtype=np.bool_)
        recess[some] = (behind_wall_mm > WALL_MM) & (np.abs(up[some]) < HOLLOW_PHASE * self.spacing_mm)
        hollow[some] = recess[some] & (np.abs(left[some]) < HOLLOW_ASIDE_MM) & (mine[some] < HOLLOW_SHARE)
        return mine, others, behind & (mine > 0), recess, hollow


def arches_of(outlines: Sequence[BodyOutline]) -> list[Arch]:
    """Return the arches of the outlined vertebrae, then those of the next ones above and below them."""
    spacing_mm = [outline.placed.spacing_mm for outline in outlines]
    arches = []
    for number, outline in enumerate(outlines):
        near = spacing_mm[max(0, number - NEIGHBOURS) : number + NEIGHBOURS + 1]
        placed = outline.placed
        arches.append(
            Arch(placed.placement, float(np.median(near)), placed.canal_back_mm, outline.posterior_wall)
        )
    if not arches:
        return []
    return [*arches, _next_to(arches[0], arches[1:2], 1.0), _next_to(arches[-1], arches[-2:-1], -1.0)]


def reach_of(outlines: Sequence[BodyOutline]) -> FloatArray:
    """Return the corners of what the arches of the outlined vertebrae reach, (n, 3), index times spacing."""
    return np.concatenate([arch.corners() for arch in arches_of(outlines)[: len(outlines)]])


def _next_to(end: Arch, before: Sequence[Arch], upwards: float) -> Arch:
    """Return the arch that follows an end of the row."""
    place = end.placement
    if before:
        step = place.centre_mm - before[0].placement.centre_mm
        step = step * (end.spacing_mm / float(np.linalg.norm(step)))
    else:
        step = place.up * (upwards * end.spacing_mm)
    return replace(end, placement=replace(place, centre_mm=place.centre_mm + step))


@cache
def _atlas_at(spacing_mm: int) -> tuple[Bytes, Bytes]:
    """Return the shares of own and of other bone, with an empty margin in all directions but the midline."""
    with (files(__package__) / "posterior_atlas.npz").open("rb") as stream:
        stored = np.load(stream)
        nodes = [np.stack([stored[f"{kind}_{node:.0f}"] for node in NODES_MM]) for kind in ("own", "other")]
    where = float(np.interp(spacing_mm, NODES_MM, np.arange(len(NODES_MM))))
    low = min(int(where), len(NODES_MM) - 2)
    part = where - low
    own, other = (
        np.pad(
            np.round(node[low] * (1 - part) + node[low + 1] * part).astype(np.uint8), ((1, 1), (1, 1), (0, 1))
        )
        for node in nodes
    )
    return own, other
