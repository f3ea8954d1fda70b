"""Sample points on and around one vertebra, to compare it between two scans."""

from __future__ import annotations

import numpy as np

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import BoolArray, FloatArray, IntArray
from cementct.core.distances import within
from cementct.core.grid import Box, Grid
from cementct.core.image import Region, Volume
from cementct.segmentation.registration.refine import Samples
from cementct.segmentation.registration.scene import CEMENT_HU, Scene, prepare_scene

# Samples reach this far out of the bone, so that its outer surface is among them from both sides.
RIM_MM = 3.0
# More points than this sharpen nothing: at 1.6 mm a lumbar vertebra has about this many.
MAX_SAMPLES = 15_000
# On coarse lattices fewer suffice.
MAX_SAMPLES_BY_SCALE = {6.4: 4_000, 3.2: 6_000}
# What lies further back than this share of the body's depth behind its centre keeps its shape when a
# compressed body is raised: posterior wall, pedicles and posterior elements.
POSTERIOR_SHARE = 0.25


def sample_vertebra(
    volume: Volume,
    spine: Spine,
    vertebra: Vertebra,
    scale_mm: float,
    *,
    rim_mm: float = RIM_MM,
    cement_hu: float = CEMENT_HU[0],
) -> Samples:
    """Return sample points on a vertebra and within `rim_mm` of it, its neighbours' bone left out.

    Parameters
    ----------
    volume
        The scan.
    spine
        All vertebrae of that scan.
    vertebra
        The one to sample.
    scale_mm
        Distance of the samples; intensities are smoothed accordingly.
    rim_mm
        How far out of the bone samples reach.
    cement_hu
        What is brighter is no bone.
    """
    box = volume.grid.expand(vertebra.whole.box, rim_mm + scale_mm)
    scene = prepare_scene(volume, box, scale_mm, cement_hu=cement_hu)
    wanted = _near(vertebra.whole, spine.grid, scene, rim_mm) & scene.usable
    for other in spine.vertebrae:
        if other.number != vertebra.number and not other.whole.box.intersection(box).is_empty:
            wanted &= ~region_on_grid(other.whole, spine.grid, scene.grid)
    most = MAX_SAMPLES_BY_SCALE.get(scale_mm, MAX_SAMPLES)
    index = _thinned(np.asarray(np.argwhere(wanted), dtype=np.intp), most)
    hu = scene.hu[tuple(index.T)].astype(np.float64)
    return Samples(scene.grid.to_lps(index), hu, np.ones(hu.size))


def posterior_part(samples: Samples, vertebra: Vertebra) -> Samples:
    """Return the samples on what keeps its shape when the body is raised, by their place in the frame."""
    local = vertebra.frame.to_local(samples.points_lps_mm)
    keep = local[:, 1] > POSTERIOR_SHARE * vertebra.depth_mm
    return Samples(samples.points_lps_mm[keep], samples.hu[keep], samples.weight[keep])


def region_on_grid(region: Region, source: Grid, target: Grid) -> BoolArray:
    """Return which voxel centres of `target` lie in a region of the grid `source`, both in one scan."""
    out = np.zeros(target.shape, dtype=np.bool_)
    if region.is_empty:
        return out
    corners = source.to_lps(_corners(region.box))
    box = target.box_around(target.to_index(corners), 0.0)
    if box.is_empty:
        return out
    steps = [np.arange(a, b, dtype=np.float64) for a, b in zip(box.start, box.stop, strict=True)]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
    index = np.rint(source.to_index(target.to_lps(points))).astype(np.intp) - np.asarray(region.box.start)
    inside = np.all((index >= 0) & (index < np.asarray(region.box.shape)), axis=-1)
    found = np.zeros(box.shape, dtype=np.bool_)
    found[inside] = region.voxels[tuple(index[inside].T)]
    out[box.slices] = found
    return out


def _near(region: Region, source: Grid, scene: Scene, margin_mm: float) -> BoolArray:
    inside = region_on_grid(region, source, scene.grid)
    if not inside.any():
        return inside
    return within(inside, margin_mm, scene.grid.spacing_mm)


def _corners(box: Box) -> FloatArray:
    bounds = [(start - 0.5, stop - 0.5) for start, stop in zip(box.start, box.stop, strict=True)]
    return np.stack(np.meshgrid(*bounds, indexing="ij"), axis=-1).reshape(-1, 3)


def _thinned(index: IntArray, most: int) -> IntArray:
    """Return at most `most` rows, chosen at random but always the same ones."""
    if len(index) <= most:
        return index
    chosen = np.sort(np.random.default_rng(0).permutation(len(index))[:most])
    return index[chosen]
