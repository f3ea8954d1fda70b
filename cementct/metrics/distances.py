"""Shortest distances from a vertebra's cement to its posterior wall and to its foramina, in millimetres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment, HeightField, Spine, Vertebra
from cementct.core.arrays import BoolArray, Float32Array, FloatArray
from cementct.core.distances import shortest_gap, tree_of
from cementct.core.findings import Certainty, ForamenDistance, LeakType
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.grid import Box, Grid
from cementct.core.morphology import bounds_of
from cementct.metrics.leaks import LeakFindings
from cementct.metrics.surroundings import Surroundings, surroundings_of
from cementct.segmentation.model import Cement

# Under this distance cement touches the posterior wall, in millimetres (contract).
TOUCHES_WALL_MM = 0.3
# The paper's rule: smaller portions are injected where cement is nearer than this to wall or foramen.
NEAR_NEURAL_MM = 5.0
# Share of a voxel from which on cement counts as reaching there. Distances go to the outermost fingers
# between trabeculae, which are thinner than the blur and stay below half height: on simulated interdigitated
# cement the half-height surface lies 0.9 mm too far from the wall on average, this one 0.5 mm; on smooth
# faces it lies 0.3 mm too near.
OUTLINE = 0.25
# A voxel that is more than half cement lies inside its outline.
HALF_HEIGHT = 0.5
# Spacing of the points that stand for the posterior wall, in millimetres: the error of the nearest of them is
# below a tenth of a millimetre from a millimetre on.
WALL_STEP_MM = 0.5
# Foramina are looked for this far around the vertebra's cement, in millimetres; wider than a body.
FORAMEN_REACH_MM = 60.0
# A body's cement is told from leaked cement behind the wall with this slack, in millimetres: the outline of
# cement that touches the wall can come to lie this far behind it.
WALL_SLACK_MM = 1.0


@dataclass(frozen=True)
class Distances:
    """How near a vertebra's cement comes to nerves.

    Attributes
    ----------
    posterior_wall_mm
        From cement inside the body; 0 where it touches or leaks epidurally. None where the wall or cement in
        the body is missing.
    foramen_mm
        From any cement of the vertebra, by side; None where a foramen is missing or sides are unknown.
    within_5mm
        Whether either of them is under 5 mm; None where that cannot be known.
    flags
        Why something is None.
    """

    posterior_wall_mm: float | None
    foramen_mm: ForamenDistance
    within_5mm: bool | None
    flags: tuple[QualityFlag, ...] = ()


def measure_distances(cement: Cement, spine: Spine, *, leaks: LeakFindings) -> Mapping[int, Distances]:
    """Return the distances of every vertebra that cement came from, by number of the vertebra.

    Parameters
    ----------
    cement
        All cement in the volume, divided among the vertebrae it came from.
    spine
        Vertebrae and the borders of the compartments, on the grid of the same volume.
    leaks
        What `measure_leaks` found; an epidural leak puts the wall at 0, a foraminal one its foramen.
    """
    found = {}
    for vertebra in spine.vertebrae:
        around = surroundings_of(vertebra, cement, spine)
        if around is not None:
            found[vertebra.number] = _measure_one(vertebra, around, spine, leaks, cement)
    return found


def _measure_one(
    vertebra: Vertebra, around: Surroundings, spine: Spine, leaks: LeakFindings, cement: Cement
) -> Distances:
    mine = leaks.leaks.get(vertebra.number, ())
    if any(k.type is LeakType.EPIDURAL and k.certainty is Certainty.DEFINITE for k in mine):
        wall_mm: float | None = 0.0
    else:
        wall_mm = _distance_to_posterior_wall_mm(vertebra, around, _leaked_in(around, leaks, cement))
    outline = outline_points(around.fraction, around.grid)
    sides = {
        side: _distance_to_foramina_mm(outline, side, vertebra, around, spine)
        for side in (Compartment.FORAMEN_LEFT, Compartment.FORAMEN_RIGHT)
    }
    left, right = sides[Compartment.FORAMEN_LEFT], sides[Compartment.FORAMEN_RIGHT]
    within = _is_within(NEAR_NEURAL_MM, wall_mm, left, right)
    flags = []
    if left is None or right is None:
        flags.append(
            raise_flag(
                Flag.FORAMEN_NOT_ASSESSABLE, "A foramen was not found; the distance to it is not given."
            )
        )
    if spine.orientation_contradicts_anatomy:
        left = right = None
    return Distances(wall_mm, ForamenDistance(left=left, right=right), within, tuple(flags))


def _is_within(limit_mm: float, *distances_mm: float | None) -> bool | None:
    known = [d for d in distances_mm if d is not None]
    if any(d < limit_mm for d in known):
        return True
    return False if len(known) == len(distances_mm) else None


def outline_points(fraction: Float32Array, grid: Grid) -> FloatArray:
    """Return points (LPS) on the outer surface of cement, about one for every voxel face, shape (n, 3).

    Deposits too thin to reach it stand with the centres of their fullest voxels.
    """
    from skimage.measure import marching_cubes

    if fraction.size == 0 or float(fraction.max()) <= OUTLINE:
        fullest = np.argwhere(fraction >= max(float(fraction.max(initial=0.0)) * OUTLINE, 1e-6))
        return grid.to_lps(fullest.reshape(-1, 3))
    vertices = marching_cubes(np.pad(fraction, 1), OUTLINE)[0]
    return grid.to_lps(vertices - 1)


def _distance_to_posterior_wall_mm(
    vertebra: Vertebra, around: Surroundings, leaked: BoolArray
) -> float | None:
    body = (around.compartment == Compartment.BODY) & vertebra.body.in_box(around.box)
    local_mm = vertebra.frame.to_local(outline_points(_cement_near(body, around, leaked), around.grid))
    wall_mm = _points_on_wall(vertebra.posterior_wall)
    if len(local_mm) == 0 or len(wall_mm) == 0:
        return None
    before_mm = vertebra.posterior_wall.at(local_mm[:, 0], local_mm[:, 2]) - local_mm[:, 1]
    if np.any(before_mm < TOUCHES_WALL_MM):
        return 0.0
    nearest_mm = shortest_gap(tree_of(wall_mm), local_mm)
    straight_mm = before_mm[np.isfinite(before_mm)]
    shortest_mm = min(nearest_mm, float(straight_mm.min())) if straight_mm.size else nearest_mm
    return 0.0 if shortest_mm < TOUCHES_WALL_MM else shortest_mm


def _leaked_in(around: Surroundings, leaks: LeakFindings, cement: Cement) -> BoolArray:
    """Return the leaked cement in the block of `around`, with the rim that blur gives it."""
    from scipy import ndimage

    leaked = np.zeros(around.box.shape, dtype=np.bool_)
    common = around.box.intersection(cement.box)
    leaked[common.within(around.box)] = leaks.labels[common.within(cement.box)] > 0
    if not leaked.any():
        return leaked
    inside = around.region & ~leaked
    return np.asarray(ndimage.binary_dilation(leaked, np.ones((3, 3, 3), dtype=np.bool_)) & ~inside)


def _cement_near(body: BoolArray, around: Surroundings, leaked: BoolArray) -> Float32Array:
    """Return the fractions of the cement in the body, with the rim that blur carries across its border."""
    from scipy import ndimage

    rim = ndimage.distance_transform_edt(~body, sampling=around.spacing_mm) <= max(
        WALL_SLACK_MM, *around.grid.spacing_mm
    )
    return np.asarray(np.where(rim & ~leaked, around.fraction, 0), dtype=np.float32)


def _points_on_wall(wall: HeightField) -> FloatArray:
    """Return points of the posterior wall (left, posterior, superior), shape (n, 3)."""
    left = np.arange(wall.first_mm[0], wall.first_mm[-1] + WALL_STEP_MM, WALL_STEP_MM)
    superior = np.arange(wall.second_mm[0], wall.second_mm[-1] + WALL_STEP_MM, WALL_STEP_MM)
    grid_left, grid_superior = np.meshgrid(left, superior, indexing="ij")
    posterior = wall.at(grid_left, grid_superior)
    points = np.stack([grid_left, posterior, grid_superior], axis=-1).reshape(-1, 3)
    return np.asarray(points[np.isfinite(points[:, 1])], dtype=np.float64)


def _distance_to_foramina_mm(
    outline_lps_mm: FloatArray,
    side: Compartment,
    vertebra: Vertebra,
    around: Surroundings,
    spine: Spine,
) -> float | None:
    from skimage.measure import marching_cubes

    box = spine.grid.expand(around.box, FORAMEN_REACH_MM)
    known = spine.compartments
    near = box.intersection(known.box)
    window = None if near.is_empty else bounds_of(known.compartment[near.within(known.box)] == side)
    if window is None:
        return None
    part = Box.of(window).placed_in(near)
    here, place = (field[part.within(known.box)] for field in (known.compartment, known.place))
    here = here == side
    spaces = [here & (place == vertebra.position), here & (place == vertebra.position + 1)]
    if not all(space.any() for space in spaces) or len(outline_lps_mm) == 0:
        return None
    foramina = spaces[0] | spaces[1]
    common = part.intersection(around.box)
    if not common.is_empty:
        share = around.fraction[common.within(around.box)]
        if np.any(share[foramina[common.within(part)]] > HALF_HEIGHT):
            return 0.0
    vertices = marching_cubes(np.pad(foramina, 1).astype(np.float32), 0.5)[0]
    points_lps_mm = spine.grid.crop(box).to_lps(vertices - 1 + [cut.start for cut in part.within(box)])
    return shortest_gap(tree_of(points_lps_mm), outline_lps_mm)
