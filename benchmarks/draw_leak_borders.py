"""Pictures of the borders at which leaks are split and told from cement inside, for docs/leaks.md.

Usage: python benchmarks/draw_leak_borders.py OUT_FOLDER

All cases are this project's own phantoms; the vertebrae are given, cement and leaks are found.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from draw_planes import GREEN, ORANGE, PINK, RED, SKY, WHITE, YELLOW, Picture, Plane, save_row

from cementct.anatomy.describe import describe_spine
from cementct.anatomy.model import Compartment, Spine, Vertebra
from cementct.core.findings import LeakType, Side
from cementct.core.image import Volume
from cementct.core.levels import LabelScheme, Level
from cementct.metrics.leaks import LeakFindings, measure_leaks
from cementct.segmentation.cement import segment_cement
from cementct.segmentation.model import Cement
from cementct.segmentation.vertebrae.label_file import labels_from_file
from cementct.testing.phantom import make_case
from cementct.testing.spec import (
    CaseSpec,
    CementSpec,
    LeakShape,
    LeakSpec,
    LesionSpec,
    Place,
    Reach,
    Scanner,
    Treatment,
)

SEED = 4290
WIDTH_MM, HEIGHT_MM, PX_PER_MM = 62.0, 52.0, 6.0
# Cement is white above bone in this window.
CEMENT_WINDOW_HU = (-200.0, 2200.0)
COMPARTMENTS = {
    Compartment.DISC: ORANGE,
    Compartment.CANAL: SKY,
    Compartment.FORAMEN_LEFT: GREEN,
    Compartment.FORAMEN_RIGHT: GREEN,
}
LEAKS = {
    LeakType.DISKAL: ORANGE,
    LeakType.EPIDURAL: SKY,
    LeakType.PARAVERTEBRAL: PINK,
    LeakType.FORAMINAL: GREEN,
    LeakType.ACCESS_TRACK: YELLOW,
}


@dataclass(frozen=True)
class Shown:
    """One case and what was found in it."""

    volume: Volume
    spine: Spine
    cement: Cement
    found: LeakFindings

    @property
    def vertebra(self) -> Vertebra:
        """The treated one."""
        return next(v for v in self.spine.vertebrae if v.number in self.found.leaks)

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """Return an array of the cement's box on the whole grid."""
        whole = np.zeros(self.volume.grid.shape, dtype=np.float32)
        whole[self.cement.box.slices] = values
        return whole


def main() -> None:
    """Draw the split leak and the pairs."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    spanning = show(leaks=(LeakSpec(LeakType.FORAMINAL, 0.4, Side.LEFT, LeakShape.SPANNING, above=False),))
    at = centre_of(spanning, LeakType.FORAMINAL)
    save_row([draw(spanning, axial(spanning, at), borders=b) for b in (True, False)], out / "leak-split.png")
    broken = LesionSpec(3.0, breaks_wall=True)
    flush = show(lesion=broken, reach=Place.POSTERIOR_WALL)
    beyond_wall = LeakSpec(LeakType.EPIDURAL, 0.12, Side.LEFT, LeakShape.BEYOND_WALL, thickness_mm=2.0)
    beyond = show(lesion=broken, leaks=(beyond_wall,))
    planes = [axial(flush, wall_point(flush)), axial(beyond, centre_of(beyond, LeakType.EPIDURAL))]
    save_row([draw(c, p) for c, p in zip((flush, beyond), planes, strict=True)], out / "leak-wall.png")
    bulge = show(reach=Place.UPPER_ENDPLATE)
    diskal = show(leaks=(LeakSpec(LeakType.DISKAL, 0.25, Side.LEFT, LeakShape.SPREADING),))
    planes = [coronal(bulge, endplate_point(bulge)), coronal(diskal, centre_of(diskal, LeakType.DISKAL))]
    save_row([draw(c, p) for c, p in zip((bulge, diskal), planes, strict=True)], out / "leak-endplate.png")


def show(
    *, leaks: tuple[LeakSpec, ...] = (), lesion: LesionSpec | None = None, reach: Place | None = None
) -> Shown:
    """Return a phantom with cement in L2, and what is found in it."""
    reaches = (Reach(reach, Side.LEFT, 60),) if reach else ()
    cement_spec = CementSpec(3.5, opacity_hu=2600.0, reaches=reaches)
    spec = CaseSpec(
        seed=SEED,
        focus=Level.L2,
        fov_mm=(80.0, 105.0, 95.0),
        fov_centre_mm=(0.0, 14.0, 0.0),
        treatments=(Treatment(Level.L2, lesion or LesionSpec(3.0), cement_spec, leaks),),
        scanner=Scanner(pixel_mm=0.6, slice_spacing_mm=0.8, slice_thickness_mm=0.8),
    )
    case = make_case(spec)
    spine = describe_spine(case.post, labels_from_file(case.vertebrae, LabelScheme.VERSE))
    cement = segment_cement(case.post, spine)
    return Shown(case.post, spine, cement, measure_leaks(cement, spine, case.post))


def centre_of(case: Shown, kind: LeakType) -> np.ndarray:
    """Return the centre of the largest leak of a type."""
    alike = [k for k in case.found.leaks[case.vertebra.number] if k.type is kind]
    return np.asarray(max(alike, key=lambda k: k.volume_ml).centroid_lps_mm)


def wall_point(case: Shown) -> np.ndarray:
    """Return the middle of the cement that lies at the posterior wall."""
    wall = case.vertebra.posterior_wall
    return _middle_of(case, lambda p: wall.at(p[:, 0], p[:, 2]) - p[:, 1])


def endplate_point(case: Shown) -> np.ndarray:
    """Return the middle of the cement that lies under the upper endplate."""
    plate = case.vertebra.superior_endplate
    return _middle_of(case, lambda p: plate.at(p[:, 0], p[:, 1]) - p[:, 2])


def _middle_of(case: Shown, gap_mm) -> np.ndarray:  # type: ignore[no-untyped-def]
    points = case.volume.grid.crop(case.cement.box).to_lps(np.argwhere(case.cement.region))
    near = gap_mm(case.vertebra.frame.to_local(points)) < 1.0
    return np.asarray(points[near].mean(axis=0))


def axial(case: Shown, at: np.ndarray) -> Plane:
    """Return the cut across the spine at a point, the body's front at the top."""
    left, back, _ = case.vertebra.frame.axes
    wall = case.vertebra.frame.to_lps([0.0, case.vertebra.depth_mm / 2 + 2.0, 0.0])
    middle = wall + case.vertebra.frame.axes[2] * ((at - wall) @ case.vertebra.frame.axes[2])
    return Plane(middle, left, back, WIDTH_MM, HEIGHT_MM, PX_PER_MM)


def coronal(case: Shown, at: np.ndarray) -> Plane:
    """Return the cut from side to side at a point, seen from the front."""
    left, _, up = case.vertebra.frame.axes
    plate = case.vertebra.frame.to_lps([0.0, 0.0, case.vertebra.height_mm / 2])
    back = case.vertebra.frame.axes[1]
    return Plane(plate + back * ((at - plate) @ back), left, -up, WIDTH_MM, HEIGHT_MM, PX_PER_MM)


def draw(case: Shown, plane: Plane, *, borders: bool = False) -> Picture:
    """Return a cut with the leaks in their colours, or with the compartments that they are split at."""
    low, high = CEMENT_WINDOW_HU
    hu = plane.cut(case.volume.hu.astype(np.float32), case.volume.grid, outside=low)
    # The picture's own window, reached by scaling.
    picture = Picture((hu - low) / (high - low) * 700.0 - 160.0)
    kinds = np.zeros(case.volume.grid.shape, dtype=np.float32)
    kinds[case.spine.compartments.box.slices] = case.spine.compartments.compartment
    kinds = plane.cut(kinds, case.volume.grid, order=0)
    body = np.isin(kinds, (Compartment.BODY, Compartment.PEDICLE_LEFT, Compartment.PEDICLE_RIGHT))
    picture.outline(body, WHITE)
    if borders:
        for kind, colour in COMPARTMENTS.items():
            picture.wash(kinds == kind, colour, 0.3)
        return picture
    fraction = plane.cut(case.on_grid(case.cement.fraction), case.volume.grid)
    leaks = plane.cut(case.on_grid(case.found.labels), case.volume.grid, order=0)
    picture.outline((fraction >= 0.5) & (leaks == 0), RED)
    for leak_type, colour in LEAKS.items():
        picture.wash(leaks == leak_type.number, colour, 0.75)
    return picture


if __name__ == "__main__":
    main()
