"""Label maps written as NIfTI on the grid of the file that a volume came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cementct.core.arrays import LabelArray
from cementct.core.grid import Grid
from cementct.io.nifti_header import nifti_header
from cementct.io.scan import Scan

# isal's levels run from 0 to 3; 1 packs label maps to within a few per cent of 3 in a third of the time.
COMPRESSION_LEVEL = 1


def write_label_map(path: Path, array_canonical: LabelArray, scan: Scan) -> None:
    """Write a label map that stands in canonical order as ``.nii.gz`` on the scan's own grid.

    The same labels always give the same bytes: no time and no file name stand in the archive.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    array_canonical
        Labels of the shape of ``scan.volume``.
    scan
        The volume that they belong to.
    """
    if array_canonical.shape != scan.volume.grid.shape:
        raise ValueError(f"expected labels of shape {scan.volume.grid.shape}, got {array_canonical.shape}")
    largest = int(array_canonical.max(initial=0))
    small = array_canonical.astype(np.uint8 if largest < 256 else np.uint16, copy=False)
    write_nifti(path, np.ascontiguousarray(scan.reorientation.undo(small)), scan.source_grid)


def write_nifti(path: Path, voxels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], grid: Grid) -> None:
    """Write voxels of any plain type, shape (z, y, x) of `grid`, as ``.nii.gz`` or ``.nii``.

    Parameters
    ----------
    path
        File to write.
    voxels
        C-ordered array.
    grid
        Where they lie; NIfTI's frame is RAS.
    """
    data = nifti_header(grid, voxels.dtype)
    plain_voxels = np.ascontiguousarray(voxels).reshape(-1).view(np.uint8).data
    if path.name.endswith(".gz"):
        from isal import igzip

        with (
            path.open("wb") as plain,
            igzip.GzipFile("", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=plain, mtime=0) as packed,
        ):
            packed.write(data)
            packed.write(plain_voxels)
        return
    with path.open("wb") as plain:
        plain.write(data)
        plain.write(plain_voxels)
