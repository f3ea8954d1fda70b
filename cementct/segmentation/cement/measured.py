"""What was measured of cement: the share of every voxel, and the pieces that it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from cementct.core.arrays import BoolArray, Float32Array


@dataclass(frozen=True)
class Piece:
    """One stretch of cement that was measured with one method.

    Attributes
    ----------
    mask
        Voxels that may hold a share of it, shape of the scene.
    plateau_hu, background_hu
        Mean intensities of pure cement and of the surroundings.
    volume_ml, sd_ml
        Its volume, and the standard deviation of that.
    clipped
        Whether the number range hides the plateau.
    thin
        Whether it is too thin to show its plateau.
    """

    mask: BoolArray
    plateau_hu: float
    background_hu: float
    volume_ml: float
    sd_ml: float
    clipped: bool
    thin: bool


@dataclass(frozen=True)
class Measured:
    """Shares of all voxels of a scene, and the pieces they come from.

    Attributes
    ----------
    share
        0 to 1, shape of the scene.
    region
        The half-height outline.
    pieces
        What was measured, piece by piece.
    """

    share: Float32Array
    region: BoolArray
    pieces: tuple[Piece, ...]
