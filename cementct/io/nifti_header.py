"""The header of a NIfTI-1 file to be written, as bytes.

Written here and not with nibabel, whose import takes longer than all the writing of a study; the tests read
every field back with nibabel. Layout: nifti1.h of the NIfTI Data Format Working Group.
"""

from __future__ import annotations

from struct import pack_into

import numpy as np

from cementct.core.arrays import FloatArray
from cementct.core.grid import Grid

# Header, and four bytes that say that no extension follows.
HEADER_BYTES = 352
_DATATYPES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "int8": 256, "uint16": 512}
# Both forms in scanner coordinates; lengths in millimetres.
_SCANNER, _MILLIMETRES = 1, 2
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def nifti_header(grid: Grid, dtype: np.dtype[np.generic]) -> bytes:
    """Return the header of a file that holds one volume.

    Parameters
    ----------
    grid
        Where the voxels lie; NIfTI's frame is RAS, its first axis is our last.
    dtype
        Type of the voxels.

    Raises
    ------
    ValueError
        Where NIfTI has no such type.
    """
    if dtype.name not in _DATATYPES:
        raise ValueError(f"expected one of the types {', '.join(_DATATYPES)}, got {dtype.name}")
    affine = (_LPS_TO_RAS @ grid.affine_lps)[:, [2, 1, 0, 3]]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / spacing
    handedness = 1.0 if np.linalg.det(directions) > 0 else -1.0
    depth, height, width = grid.shape
    header = bytearray(HEADER_BYTES)
    pack_into("<i", header, 0, 348)
    pack_into("<8h", header, 40, 3, width, height, depth, 1, 1, 1, 1)
    pack_into("<2h", header, 70, _DATATYPES[dtype.name], dtype.itemsize * 8)
    pack_into("<8f", header, 76, handedness, *spacing, 1.0, 1.0, 1.0, 1.0)
    pack_into("<3f", header, 108, HEADER_BYTES, 1.0, 0.0)
    pack_into("<B", header, 123, _MILLIMETRES)
    pack_into("<2h", header, 252, _SCANNER, _SCANNER)
    pack_into("<3f", header, 256, *_quaternion(directions * [1.0, 1.0, handedness]))
    pack_into("<3f", header, 268, *affine[:3, 3])
    pack_into("<12f", header, 280, *affine[:3].ravel())
    pack_into("<4s", header, 344, b"n+1\0")
    return bytes(header)


def _quaternion(rotation: FloatArray) -> tuple[float, float, float]:
    """Return the imaginary parts of the unit quaternion of a rotation whose real part is not negative.

    The eigenvector of the largest eigenvalue of the matrix of Bar-Itzhack (2000), which also finds the
    nearest rotation where rounding left the matrix not quite orthogonal.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    symmetric = np.array(
        [
            [xx - yy - zz, xy + yx, xz + zx, zy - yz],
            [xy + yx, yy - xx - zz, yz + zy, xz - zx],
            [xz + zx, yz + zy, zz - xx - yy, yx - xy],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    values, vectors = np.linalg.eigh(symmetric)
    b, c, d, a = vectors[:, int(np.argmax(values))].tolist()
    sign = -1.0 if a < 0 else 1.0
    return sign * b, sign * c, sign * d
