"""Pictures: pixels where they say they are, the patient's right on the left, outlines on their things."""

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.findings import LeakType, StudyReport
from cementct.core.frame import Frame
from cementct.core.grid import Box, Grid
from cementct.core.image import PADDING_HU, Volume
from cementct.report.material import ReportMaterial
from cementct.report.pictures.palette import LEAK_DRAWN, STROKES, Drawn
from cementct.report.pictures.picture import Window
from cementct.report.pictures.planes import Plane, View
from cementct.report.pictures.raster import draw_rgb, drawable
from cementct.report.pictures.sampling import Sampler, trace_outlines
from cementct.report.pictures.section import describe_place, section_post
from cementct.report.pictures.vertebra import PIXEL_MM, canal_planes, draw_vertebra

UPRIGHT = Frame((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
GRID = Grid((41, 41, 41), (1.0, 1.0, 1.0), (-20.0, -20.0, -20.0))


def ramp(axis: int) -> Volume:
    """Return a volume whose intensity is its LPS coordinate (x = 0, y = 1, z = 2) times ten."""
    points = GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1))
    return Volume((points[..., axis] * 10).astype(np.int16), GRID)


def plane(view: View, offset_mm: float = 0.0) -> Plane:
    centre = {View.AXIAL: (0.0, 0.0, offset_mm), View.SAGITTAL: (offset_mm, 0.0, 0.0)}
    return Plane(view, UPRIGHT, centre.get(view, (0.0, offset_mm, 0.0)), 20.0, 20.0, 0.5)


@pytest.mark.parametrize(
    ("view", "axis", "grows"),
    [
        (View.AXIAL, 0, "right"),  # to the patient's left: right on the picture
        (View.AXIAL, 1, "down"),  # to the back
        (View.SAGITTAL, 1, "right"),  # to the back
        (View.SAGITTAL, 2, "up"),  # to the head
        (View.CORONAL, 0, "right"),
        (View.CORONAL, 2, "up"),
    ],
)
def test_directions_follow_radiological_convention(view: View, axis: int, grows: str) -> None:
    hu = Sampler.of(plane(view).surface(), GRID).hu(ramp(axis))

    first, last = (hu[:, 0], hu[:, -1]) if grows == "right" else (hu[0], hu[-1])
    assert np.all(last > first) if grows in {"right", "down"} else np.all(last < first)


def test_a_pixel_shows_the_place_it_stands_for() -> None:
    axial = plane(View.AXIAL, 3.0)
    column, row = axial.to_pixels(np.array([4.0, -2.0, 3.0]))
    points = axial.surface().points_lps_mm

    near = points[round(float(row)), round(float(column))]
    assert np.allclose(near, [4.0, -2.0, 3.0], atol=0.26)
    assert np.allclose(points[..., 2], 3.0)


def test_what_lies_outside_the_scan_is_not_measured_and_black() -> None:
    wide = replace(plane(View.AXIAL), width_mm=60.0)
    hu = Sampler.of(wide.surface(), GRID).hu(ramp(0))

    assert np.all(hu[:, 0] == PADDING_HU)
    assert np.all(Window.WIDE.grey(hu)[:, 0] == 0)


def test_a_mask_far_from_the_plane_is_not_sampled_and_one_across_it_is() -> None:
    sampler = Sampler.of(plane(View.AXIAL).surface(), GRID)
    mask = np.ones((3, 3, 3), dtype=bool)

    assert not sampler.share(mask, Box((30, 19, 19), (33, 22, 22))).any()
    assert sampler.share(mask, Box((19, 19, 19), (22, 22, 22))).max() == 1.0


def test_an_outline_of_a_disc_has_its_radius() -> None:
    y, x = np.indices((80, 80))
    share = np.clip(20.5 - np.hypot(x - 40, y - 38), 0, 1).astype(np.float32)

    (line,) = trace_outlines(share)

    radius = np.hypot(line[:, 0] - 40, line[:, 1] - 38)
    assert np.all(np.abs(radius - 20.0) < 0.3)
    assert len(line) < 80


def test_an_outline_that_runs_off_the_picture_is_closed_at_its_edge() -> None:
    share = np.ones((10, 10), dtype=np.float32)

    (line,) = trace_outlines(share)

    assert np.array_equal(line[0], line[-1])


def test_cement_is_white_and_cortex_is_not_in_the_wide_window() -> None:
    hu = np.array([[700.0, 1400.0, 3000.0]], dtype=np.float32)

    bone, wide = Window.BONE.grey(hu)[0], Window.WIDE.grey(hu)[0]

    assert bone[1] >= 240
    assert bone[2] == 255
    assert wide[2] - wide[1] > 90


def test_a_place_is_said_in_words_and_the_side_only_where_it_is_known() -> None:
    sagittal = plane(View.SAGITTAL, 3.2)

    assert (
        describe_place(sagittal, sides_known=True) == "sagittal, 3.2 mm left of the body's centre · z 0.0 mm"
    )
    assert describe_place(sagittal, sides_known=False).startswith("sagittal, 3.2 mm beside the body's centre")


def test_every_leak_type_has_a_colour_and_a_pattern_of_its_own() -> None:
    looks = {(STROKES[LEAK_DRAWN[kind]].colour, STROKES[LEAK_DRAWN[kind]].dashes) for kind in LeakType}

    assert len({colour for colour, _ in looks}) == len(LeakType)
    assert len({dashes for _, dashes in looks}) == len(LeakType)


def test_the_canal_is_shown_through_the_rearmost_cement_and_midsagittally(material: ReportMaterial) -> None:
    treated = material.spine.vertebrae[1]

    axial, sagittal = canal_planes(material, treated)

    assert (axial.view, sagittal.view) == (View.AXIAL, View.SAGITTAL)
    assert sagittal.offset_mm == 0.0
    assert abs(axial.offset_mm - 3.0) < 2.0


def test_each_leak_has_a_plane_that_goes_through_it(
    material: ReportMaterial, block_report: StudyReport
) -> None:
    found = block_report.treated[0]

    pictures = draw_vertebra(material, found, block_report.vertebrae)

    assert pictures.canal == (0, 1)
    for leak, shown_by in zip(found.leaks, pictures.leaks, strict=True):
        drawn = {d for i in shown_by for d in pictures.sections[i].post.drawn()}
        assert LEAK_DRAWN[leak.type] in drawn


def test_the_outline_of_cement_lies_on_the_edge_of_cement(material: ReportMaterial) -> None:
    treated = material.spine.vertebrae[1]
    middle = Plane(View.AXIAL, treated.frame, (0.0, 0.0, -3.0), 60.0, 60.0, PIXEL_MM)
    picture = section_post(material, middle, level="L2")

    (cement,) = [outline for outline in picture.outlines if outline.drawn is Drawn.CEMENT]
    line = max(cement.lines, key=len)
    inner = line.mean(axis=0) + 0.7 * (line - line.mean(axis=0))
    outer = line.mean(axis=0) + 1.3 * (line - line.mean(axis=0))

    def hu_at(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        column, row = np.rint(points).astype(int).T
        return float(np.median(picture.hu[row, column]))

    assert hu_at(inner) > 1900
    assert hu_at(outer) < 400


def test_where_the_header_contradicts_the_anatomy_no_side_is_lettered(material: ReportMaterial) -> None:
    doubtful = replace(material, spine=replace(material.spine, orientation_contradicts_anatomy=True))
    middle = canal_planes(doubtful, doubtful.spine.vertebrae[1])[0]

    marks = section_post(doubtful, middle, level="L2").marks

    assert (marks.left, marks.right, marks.top, marks.bottom) == (None, None, None, None)


def test_burnt_in_pixels_are_the_same_every_time_and_bare_ones_have_no_colour_but_letters(
    material: ReportMaterial,
) -> None:
    middle = canal_planes(material, material.spine.vertebrae[1])[0]
    picture = section_post(material, middle, level="L2")

    outlined = draw_rgb(picture, Window.BONE, scale=2)
    bare = draw_rgb(picture, Window.BONE, outlined=False, scale=2)

    assert outlined.shape == bare.shape
    assert outlined.shape[1:] == (2 * picture.columns, 3)
    assert np.array_equal(outlined, draw_rgb(picture, Window.BONE, scale=2))
    blue = np.array(STROKES[Drawn.CEMENT].rgb)
    assert (outlined == blue).all(axis=-1).sum() > 100
    assert not (bare == blue).all(axis=-1).any()


@pytest.mark.parametrize(
    "text", ["sagittal · z −43.1 mm", "L2 · Diskal leak L1–L2, right", "…02632834", "≤ 3 µl × 2"]
)
def test_pictures_are_lettered_in_signs_that_their_font_has(text: str) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(20)

    def looks(letter: str) -> bytes:
        return bytes(font.getmask(letter))

    missing = looks("\uffff")
    assert all(looks(letter) != missing for letter in drawable(text) if letter != " ")
