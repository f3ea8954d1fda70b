"""Pieces of cement that touch no treated bone: the vertebra each came from, and others it may be of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Vertebra
from cementct.anatomy.needle_way import lies_on_a_needles_way
from cementct.core.arrays import FloatArray, IntArray
from cementct.segmentation.cement.fields import Nearness
from cementct.segmentation.cement.opacity import Opacity, opacity_of
from cementct.segmentation.cement.scene import Scene

# A piece apart came from the vertebra to whose cement the gap is smallest; but a cord that passes several
# lies around its source, so its mean distance to the cement counts as well, with this weight, and how far
# above or below the middle of the body it lies. On 132 pieces of 56 phantoms (tuning half) with several
# sources that was wrong 4 times, the gap alone 7 times; where another source was no farther than this, 2 of
# 10 were wrong.
MEAN_DISTANCE_COUNTS, HEIGHT_COUNTS = 0.1, 0.25
RIVAL_WITHIN_MM = 4.0
# What is brighter than a source's cement counts as so much farther from it; what is as opaque as another
# source's, as so much.
TOO_BRIGHT_MM, UNLIKE_MM = 40.0, 20.0


@dataclass(frozen=True)
class LoosePiece:
    """A piece that touches no source and lies about as far from several.

    Attributes
    ----------
    index
        Its voxels: places in the scene's flat arrays.
    rivals
        Numbers of the other vertebrae that it may have come from.
    """

    index: IntArray
    rivals: tuple[int, ...]


def with_loose_pieces(
    scene: Scene,
    flooded: np.ndarray,
    labels: np.ndarray,
    sources: list[Vertebra],
    opacities: Mapping[int, Opacity],
) -> tuple[np.ndarray, tuple[LoosePiece, ...]]:
    """Give pieces that touch no source to the vertebra whose cement is nearest; name those in doubt.

    A needle's track belongs to the vertebra that it leads into.

    Parameters
    ----------
    scene
        The block of CT.
    flooded
        Number of the source of what was followed back to one, 0 elsewhere; shape of the scene.
    labels
        Numbers of the connected pieces.
    sources
        The vertebrae that cement came from.
    opacities
        How opaque the cement in their bone is.

    Returns
    -------
    tuple
        `flooded` with the loose pieces, and those of them that may have come from several.
    """
    places = np.flatnonzero((labels.ravel() > 0) & (flooded.ravel() == 0))
    if not places.size:
        return flooded, ()
    near = [Nearness(flooded == v.number, scene.spacing_mm) for v in sources]
    owner = flooded.copy()
    doubtful = []
    numbers = labels.ravel()[places]
    for number in np.unique(numbers):
        own = places[numbers == number]
        index = np.stack(np.unravel_index(own, labels.shape), axis=1)
        points_lps = scene.grid.to_lps(index)
        far_mm = np.array([_distance_mm(n, v, index, points_lps) for n, v in zip(near, sources, strict=True)])
        far_mm += _unlike_mm(opacity_of(scene.hu.ravel()[own]), [opacities.get(v.number) for v in sources])
        on_way = np.array([_is_on_way_to(v, points_lps) for v in sources])
        if on_way.any():
            far_mm[~on_way] = np.inf
        best = int(np.argmin(far_mm))
        owner.ravel()[own] = sources[best].number
        close = np.flatnonzero(far_mm <= far_mm[best] + RIVAL_WITHIN_MM)
        rivals = tuple(sources[i].number for i in close if i != best)
        if rivals:
            doubtful.append(LoosePiece(own, rivals))
    return owner, tuple(doubtful)


def _distance_mm(near: Nearness, source: Vertebra, index: IntArray, points_lps: FloatArray) -> float:
    """Return how far a piece lies from a source's cement, and from its height."""
    height_mm = abs(float(source.frame.to_local(points_lps.mean(axis=0))[2]))
    return near.gap_mm(index) + MEAN_DISTANCE_COUNTS * near.mean_gap_mm(index) + HEIGHT_COUNTS * height_mm


def _unlike_mm(piece: Opacity, sources: list[Opacity | None]) -> FloatArray:
    """Return by how much farther sources count whose cement is less like a piece."""
    alike = [source is not None and piece.is_alike(source) for source in sources]
    too_bright = [source is not None and not piece.fits_from(source) for source in sources]
    unlike = np.logical_not(alike) & any(alike)
    return np.where(too_bright, TOO_BRIGHT_MM, np.where(unlike, UNLIKE_MM, 0.0))


def _is_on_way_to(source: Vertebra, points_lps: FloatArray) -> bool:
    """Tell whether a piece is a straight cord that leads into a vertebra as a needle does."""
    return lies_on_a_needles_way(source.frame.to_local(points_lps), np.ones(len(points_lps)), source)
