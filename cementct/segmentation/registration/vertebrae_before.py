"""Vertebrae as the scan before injection shows them, laid over the scan after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from scipy import ndimage

from cementct.anatomy.carried import CarriedVertebra
from cementct.anatomy.model import Pedicle, Spine, Vertebra
from cementct.core.arrays import BoolArray, IntArray
from cementct.core.distances import within
from cementct.core.grid import Grid
from cementct.core.image import Region, Volume
from cementct.segmentation.model import Registration
from cementct.segmentation.registration.carry import carry_region
from cementct.segmentation.registration.endplates import large_ends

# Cement travels along canal and veins: so many vertebrae above and below a treated one are carried as well.
NEIGHBOURS = 2
# A frame's axes turn by so much at most between two scans of one vertebra for its borders to be moved as they
# are, as the cosine: 15 degrees.
LEAST_ALIKE = 0.966
# Destroyed or fatty bone that an outline left out before injection is bone after it where bone surrounds it:
# gaps up to twice this are closed, in millimetres.
GAP_MM = 2.0
# A lesion hid an endplate before where a layer no thicker than the first, of at least this mean thickness and
# over a large part of the endplate, is body after injection: outlines of one endplate lie half a millimetre
# to one millimetre apart, and a leak that passes for bone covers less.
ENDPLATE_MM, LEAST_LAYER_MM = 3.5, 1.6
# A layer of which more than this is cement is cement that spread in the disc: of layers that were body, up to
# three tenths were.
MOST_CEMENT_SHARE = 0.45
# And so it is where the search missed it: a layer of marrow under an endplate holds less that is as bright as
# this and not known as cement; up to four tenths were, of a leak taken for body seven tenths.
LEAST_DENSE_HU, MOST_DENSE_SHARE = 450.0, 0.55
# A lesion that opened the wall left a notch in the outline before: so deep under the body's convex hull, over
# such a volume, body after injection is body; waists are shallower. The notch's rim is this wide.
NOTCH_DEPTH_MM, NOTCH_FROM_ML, NOTCH_RIM_MM = 1.5, 0.8, 3.0


def carry_vertebrae(
    earlier: tuple[Grid, Spine],
    registrations: Mapping[int, Registration],
    post: Volume,
    spine: Spine,
    *,
    cement: Region,
    treated: Collection[int],
) -> dict[int, CarriedVertebra]:
    """Return the treated vertebrae and their neighbours as they stood before injection, by position.

    Cement hides the outline of a body, and an engine takes leaks for bone: before injection there were none.

    Parameters
    ----------
    earlier
        Grid and spine of the scan before injection.
    registrations
        By number of the post-injection vertebra; what failed is left out.
    post, spine
        The post-injection scan and its spine.
    cement
        Where cement lies after injection.
    treated
        Numbers of the treated vertebrae.
    """
    pre_grid, pre_spine = earlier
    before = {v.number: v for v in pre_spine.vertebrae}
    places = [v.position for v in spine.vertebrae if v.number in treated]
    carried = {}
    for vertebra in spine.vertebrae:
        registration = registrations.get(vertebra.number)
        near = any(abs(vertebra.position - place) <= NEIGHBOURS for place in places)
        if not near or registration is None or not registration.ok or registration.pre_number is None:
            continue
        source = before.get(registration.pre_number)
        if source is None or not (source.complete and vertebra.complete):
            continue
        body = carry_region(source.body, pre_grid, registration, spine.grid)
        if body.is_empty:
            continue
        body = _filled_up(body, vertebra, cement, post)
        whole = carry_region(source.whole, pre_grid, registration, spine.grid)
        carried[vertebra.position] = CarriedVertebra(
            body,
            None
            if whole.is_empty
            else _completed(whole, vertebra.whole, (pre_grid, spine.grid), registration),
            _moved(source.left_pedicle, source, vertebra, registration),
            _moved(source.right_pedicle, source, vertebra, registration),
            wall_rebuilt=vertebra.number in treated,
        )
    return carried


def _filled_up(body: Region, vertebra: Vertebra, cement: Region, post: Volume) -> Region:
    """Return a carried body with what a lesion had hidden of it before and cement shows.

    What came to lie at an endplate as a thin layer over a large part of the body's area is body (a leak in
    the disc is thicker, smaller, or nothing but cement), and so is what fills a large notch.
    """
    grid = post.grid
    box = grid.expand(body.box, ENDPLATE_MM + max(grid.spacing_mm))
    carried = body.in_box(box)
    more = vertebra.body.in_box(box) & ~carried
    index = np.argwhere(more)
    if not index.size:
        return body
    voxels = carried.copy()
    notch = index[_in_notch(index, carried, grid)]
    voxels[tuple(notch.T)] = True
    index = index[within(carried, ENDPLATE_MM, grid.spacing_mm)[tuple(index.T)]]
    is_cement = cement.in_box(box)[tuple(index.T)]
    is_dense = (post.hu[box.slices][tuple(index.T)] > LEAST_DENSE_HU) & ~is_cement
    for layer, area_mm2 in large_ends(grid.to_lps(index + np.asarray(box.start)), vertebra):
        thick = np.count_nonzero(layer) * grid.voxel_mm3 >= LEAST_LAYER_MM * area_mm2
        leaked = np.mean(is_cement[layer]) > MOST_CEMENT_SHARE or np.mean(is_dense[layer]) > MOST_DENSE_SHARE
        if thick and not leaked:
            voxels[tuple(index[layer].T)] = True
    return Region(box, voxels)


def _in_notch(index: IntArray, carried: BoolArray, grid: Grid) -> BoolArray:
    """Tell which of some voxels lie in a notch of a body that is too large for its waist."""
    from scipy.spatial import ConvexHull, QhullError

    spacing = np.asarray(grid.spacing_mm)
    try:
        hull = ConvexHull(np.argwhere(carried & ~ndimage.binary_erosion(carried)) * spacing)
    except QhullError:  # a body of one slice has no inside
        return np.zeros(len(index), dtype=np.bool_)
    depth_mm = -np.max(index * spacing @ hull.equations[:, :3].T + hull.equations[:, 3], axis=1)
    deep = depth_mm > NOTCH_DEPTH_MM
    if np.count_nonzero(deep) * grid.voxel_ml < NOTCH_FROM_ML:
        return np.zeros(len(index), dtype=np.bool_)
    middle = np.zeros(carried.shape, dtype=np.bool_)
    middle[tuple(index[deep].T)] = True
    beside = within(middle, NOTCH_RIM_MM, grid.spacing_mm)[tuple(index.T)]
    return np.asarray(beside & (depth_mm > 0.0))


def _completed(whole: Region, found: Region, grids: tuple[Grid, Grid], registration: Registration) -> Region:
    """Return a carried vertebra with what was found of it in its gaps and beyond the earlier scan."""
    pre_grid, post_grid = grids
    index = found.indices()
    before = pre_grid.to_index(registration.to_pre(post_grid.to_lps(index)))
    unseen = np.any((before < 0) | (before > np.asarray(pre_grid.shape) - 1), axis=1)
    box = whole.box.union(found.box)
    voxels = whole.in_box(box).copy()
    size = [2 * round(GAP_MM / s) + 1 for s in post_grid.spacing_mm]
    grown = ndimage.maximum_filter(voxels.view(np.uint8), size, mode="constant")
    closed = ndimage.minimum_filter(grown, size, mode="constant", cval=1) > 0
    here = tuple((index - np.asarray(box.start)).T)
    voxels[here] |= unseen | closed[here]
    return Region(box, voxels)


def _moved(
    pedicle: Pedicle | None, source: Vertebra, vertebra: Vertebra, registration: Registration
) -> Pedicle | None:
    """Return a pedicle's borders in the frame of the vertebra after injection; None where frames differ."""
    if pedicle is None:
        return None
    axes = source.frame.axes @ registration.rotation.T
    if float(np.einsum("ij,ij->i", axes, vertebra.frame.axes).min()) < LEAST_ALIKE:
        return None
    moved = vertebra.frame.to_local(registration.to_post(np.asarray(source.frame.centre_lps_mm)))
    return replace(
        pedicle,
        medial_mm=pedicle.medial_mm + float(moved[0]),
        lateral_mm=pedicle.lateral_mm + float(moved[0]),
        superior_mm=pedicle.superior_mm + float(moved[2]),
        inferior_mm=pedicle.inferior_mm + float(moved[2]),
    )
