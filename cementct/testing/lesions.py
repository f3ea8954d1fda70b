"""Lesions: irregular blobs of destroyed bone of a wanted volume, fixed to their vertebra."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.core.findings import Destruction
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.testing.column import local_coordinates
from cementct.testing.noise import smooth_noise, warped
from cementct.testing.shapes import Coordinates
from cementct.testing.spec import CaseSpec, LesionSpec
from cementct.testing.vertebra import VertebraShape

# Soft tissue of a metastasis, and the sclerotic part of a mixed or blastic one.
TUMOUR_HU = 50.0
SCLEROSIS_HU = 620.0
# Depth of a mixed lesion's sclerotic shell, as a share of its radius: about two fifths of its volume.
SCLEROTIC_SHELL = 0.16
# Share of a lesion's volume that is sclerotic from which it is mixed, and up to which (the contract).
MIXED_FROM, MIXED_TO = 0.20, 0.80
# Bone between a lesion and a posterior wall that it leaves whole.
FREE_WALL_MM = 2.5
# Spacing of the lattice on which volumes are fitted.
_FIT_MM = 0.6


@dataclass(frozen=True)
class LesionShape:
    """A lesion as a level set in a vertebra's frame.

    Attributes
    ----------
    spec
        What was wanted.
    shape
        The vertebra it lies in.
    seed
        Of its outline.
    radius_mm
        Of the ball it is made from.
    sclerotic_share
        Share of its volume inside the bone that is sclerotic.
    """

    spec: LesionSpec
    shape: VertebraShape
    seed: tuple[int, ...]
    radius_mm: float
    sclerotic_share: float = 0.0

    @property
    def destruction(self) -> Destruction:
        """Type of destruction by volume: bone cuts off much of the shell of a ball that fills it."""
        if self.sclerotic_share < MIXED_FROM:
            return Destruction.OSTEOLYTIC
        return Destruction.MIXED if self.sclerotic_share <= MIXED_TO else Destruction.OSTEOBLASTIC

    @property
    def centre_mm(self) -> tuple[float, float, float]:
        """Left, posterior and superior coordinates of its centre."""
        size = self.shape.size
        left, back, up = self.spec.centre
        if self.spec.breaks_wall:
            back = max(back, 0.6)
        return left * size.width_mm / 2, back * size.depth_mm / 2, up * size.height_mm / 2

    @property
    def overhang_mm(self) -> float:
        """How far the tumour reaches beyond the bone's surface."""
        return 3.0 * self.spec.outside_ml ** (1 / 3) if self.spec.outside_ml > 0 else 0.0

    def distance(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to the lesion, its overlap with bone not yet considered."""
        ball = _unsized_distance(self, at) - np.float32(self.radius_mm)
        if self.spec.breaks_wall:
            return np.asarray(ball, dtype=np.float32)
        wall = at[1] - self.shape.posterior_wall_mm(at[0], at[2]) + np.float32(FREE_WALL_MM)
        return np.asarray(np.maximum(ball, wall), dtype=np.float32)

    def tissue_hu(self, distance: Float32Array) -> Float32Array:
        """Return the intensity of the lesion by depth under its surface."""
        if self.spec.destruction is Destruction.OSTEOBLASTIC:
            return np.full_like(distance, SCLEROSIS_HU)
        if self.spec.destruction is Destruction.MIXED:
            sclerotic = distance > -SCLEROTIC_SHELL * self.radius_mm
            return np.where(sclerotic, np.float32(SCLEROSIS_HU), np.float32(TUMOUR_HU))
        return np.full_like(distance, TUMOUR_HU)


def _unsized_distance(lesion: LesionShape, at: Coordinates) -> Float32Array:
    # Wider than high, so that large lesions stay in the body.
    offset = [a - np.float32(c) for a, c in zip(at, lesion.centre_mm, strict=True)]
    squash = (1.0, 1.0, 1.25)
    radius = np.sqrt(sum((o * np.float32(q)) ** 2 for o, q in zip(offset, squash, strict=True)))
    return np.asarray(radius + 1.6 * smooth_noise(at, seed=lesion.seed, scale_mm=7.0), dtype=np.float32)


def fit_lesion(spec: CaseSpec, lesion: LesionSpec, shape: VertebraShape) -> LesionShape:
    """Return the lesion whose part inside the bone has the wanted volume.

    Raises
    ------
    ValueError
        Where the vertebra is smaller than the lesion.
    """
    number = shape.level.verse_number
    seed = (spec.seed, number, 4)
    start = LesionShape(lesion, shape, seed, 0.0)
    size = shape.size
    half = np.array([size.width_mm / 2 + 4, size.depth_mm / 2 + 8, size.height_mm / 2 + 2])
    n_x, n_y, n_z = (int(np.ceil(2 * h / _FIT_MM)) for h in half)
    x, y, z = (float(-(n - 1) / 2 * _FIT_MM) for n in (n_x, n_y, n_z))
    grid = Grid((n_z, n_y, n_x), (_FIT_MM, _FIT_MM, _FIT_MM), (x, y, z))
    at = local_coordinates(grid, Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    at = warped(at, seed=(spec.seed, number, 1), amplitude_mm=spec.irregularity_mm)
    bone = np.minimum(shape.distance_to_body(at), shape.distance_to_pedicles(at)) < 0
    if not lesion.breaks_wall:
        bone &= at[1] < shape.posterior_wall_mm(at[0], at[2]) - FREE_WALL_MM
    distance = np.sort(_unsized_distance(start, at)[bone])
    wanted = round(lesion.volume_ml / grid.voxel_ml)
    if wanted >= distance.size:
        raise ValueError(
            f"{lesion.volume_ml:.1f} ml of lesion do not fit into {shape.level}, which holds "
            f"{distance.size * grid.voxel_ml:.1f} ml"
        )
    sized = LesionShape(lesion, shape, seed, float(distance[wanted]))
    tissue = sized.tissue_hu(distance[:wanted] - np.float32(sized.radius_mm))
    share = float(np.mean(tissue == SCLEROSIS_HU)) if wanted else 0.0
    return replace(sized, sclerotic_share=share)
