"""A phantom's geometry handed over as what the contract's borders and the placing of cement need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cementct.core.levels import Level
from cementct.testing.bone import Anatomy, coarse_box, fine_box, local_shape_coordinates
from cementct.testing.borders import Borders, centre_gaps_mm
from cementct.testing.column import ColumnCoordinates, PlacedVertebra
from cementct.testing.epidural_leaks import reach_along_spine_mm
from cementct.testing.sampling import doubled
from cementct.testing.site import Measures, Site
from cementct.testing.spec import CaseSpec


def borders_of(column: Sequence[PlacedVertebra]) -> Borders:
    """Return the lengths that place canal and foramina along a column."""
    sizes = [v.shape.size for v in column]
    return Borders(
        tuple(v.number for v in column),
        tuple(s.canal_width_mm / 2 for s in sizes),
        tuple(s.canal_depth_mm for s in sizes),
        tuple(s.canal_width_mm / 2 + s.pedicle_width_mm for s in sizes),
        tuple(v.shape.pedicle_superior_mm - v.shape.size.pedicle_height_mm / 2 for v in column),
        tuple(v.shape.pedicle_superior_mm + v.shape.size.pedicle_height_mm / 2 for v in column),
        centre_gaps_mm([v.frame for v in column]),
    )


def site_of(spec: CaseSpec, anatomy: Anatomy, level: Level) -> Site:
    """Return the surroundings of one vertebra of a phantom."""
    index = next(i for i, v in enumerate(anatomy.column) if v.level is level)
    vertebra, shape = anatomy.column[index], anatomy.column[index].shape
    size = shape.size
    measures = _measures(anatomy.column, index)
    leaks = [leak for t in spec.treatments if t.level is level for leak in t.leaks]
    along_mm = reach_along_spine_mm(leaks, measures) + 4.0
    extent = (
        (-46.0, 46.0),
        (-size.depth_mm / 2 - 16.0, size.depth_mm / 2 + size.canal_depth_mm + 36.0),
        (min(-size.height_mm / 2 - 26.0, -along_mm), max(size.height_mm / 2 + 24.0, along_mm)),
    )
    box = coarse_box(anatomy.lattices, vertebra, extent)
    fine = fine_box(anatomy.lattices, box)
    grid = anatomy.lattices.fine.crop(fine)
    at = local_shape_coordinates(spec, vertebra, anatomy.lattices, box)
    near = anatomy.column[max(0, index - 2) : index + 3]
    along = ColumnCoordinates.on(anatomy.lattices.coarse.crop(box), near)
    along = ColumnCoordinates(
        *(doubled(a, grid.shape) for a in (along.place, along.left_mm, along.behind_wall_mm))
    )
    vertebrae = anatomy.vertebrae[fine.slices].copy()
    borders = borders_of(near)
    compartments, places = borders.compartments(
        along, vertebrae, anatomy.bodies[fine.slices], anatomy.discs[fine.slices]
    )
    local = vertebra.coordinates(grid)
    front = along.behind_wall_mm
    beside = np.abs(local[2]) < size.height_mm / 2
    front = np.where(beside, local[1] - shape.posterior_wall_mm(local[0], local[2]), front).astype(np.float32)
    return Site(
        number=vertebra.number,
        box=fine,
        grid=grid,
        frame=vertebra.frame,
        measures=measures,
        at=local,
        vertebrae=vertebrae,
        compartments=compartments,
        by_contract=borders.by_contract(along, compartments),
        places=places,
        body_depth_mm=doubled(shape.distance_to_body(at), grid.shape),
        outline_mm=doubled(shape.distance_to_outline(at), grid.shape),
        behind_front_mm=front,
        lesion=np.asarray(anatomy.lesions[fine.slices] == vertebra.number),
        solid=np.asarray((vertebrae > 0) & (vertebrae != vertebra.number)),
        foramen_mm=shape.wear.basivertebral_mm,
    )


def _measures(column: Sequence[PlacedVertebra], index: int) -> Measures:
    shape = column[index].shape
    size = shape.size
    centre = np.asarray(column[index].frame.centre_lps_mm)
    gaps = [
        float(np.linalg.norm(np.asarray(column[i].frame.centre_lps_mm) - centre))
        if 0 <= i < len(column)
        else size.height_mm + size.disc_below_mm
        for i in (index - 1, index + 1)
    ]
    return shape.measures_between(*gaps)
