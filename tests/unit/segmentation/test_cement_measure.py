"""Shares and volumes of deposits of exactly known size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cementct.core.grid import Grid, Triple
from cementct.core.image import Volume
from cementct.segmentation.cement.edges import fit_edges
from cementct.segmentation.cement.measure import measure_shares
from cementct.segmentation.cement.measured import Measured
from cementct.segmentation.cement.scene import Scene, view_scene

FINE = 5
BLUR_MM = 0.5
BACKGROUND_HU = 60.0
Inside = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def image_of(
    inside: Inside, spacing: Triple, plateau_hu: float, *, clip_hu: float = 30000.0
) -> tuple[Scene, float]:
    """Return a noisy blurred image of a solid in soft tissue, and the solid's volume in millilitres."""
    rng = np.random.default_rng(5)
    shape = tuple(int(36.0 / s) for s in spacing)
    axes = [
        (np.arange(n * FINE) + 0.5) / FINE * s - 0.5 * n * s + rng.uniform(-s, s) / 2
        for n, s in zip(shape, spacing, strict=True)
    ]
    solid = np.broadcast_to(inside(*np.meshgrid(*axes, indexing="ij", sparse=True)), [a.size for a in axes])
    volume_ml = np.count_nonzero(solid) * float(np.prod(spacing)) / FINE**3 / 1000.0
    blur = [max(BLUR_MM, 0.3 * spacing[0]) * FINE / spacing[0], *(BLUR_MM * FINE / s for s in spacing[1:])]
    share = ndimage.gaussian_filter(solid.astype(np.float32), blur)[2::FINE, 2::FINE, 2::FINE]
    hu = BACKGROUND_HU + share * (plateau_hu - BACKGROUND_HU) + rng.normal(0.0, 15.0, share.shape)
    grid = Grid(share.shape, spacing, (0.0, 0.0, 0.0))
    volume = Volume(np.minimum(hu, clip_hu).round().astype(np.int16), grid)
    return view_scene(volume, grid.box), volume_ml


def measured(scene: Scene) -> tuple[Measured, float]:
    rough = scene.hu > BACKGROUND_HU + 250.0
    nothing = np.zeros(rough.shape, dtype=np.bool_)
    expected = np.full(rough.shape, BACKGROUND_HU, dtype=np.float32)
    found = measure_shares(scene, rough, expected, in_bone=nothing, excluded=nothing)
    return found, float(found.share.sum(dtype=np.float64)) * scene.voxel_ml


@pytest.mark.parametrize("spacing", [(0.8, 0.5, 0.5), (1.5, 0.7, 0.7), (3.0, 0.8, 0.8)])
@pytest.mark.parametrize("plateau_hu", [900.0, 2500.0])
def test_a_sphere_of_known_radius_has_its_volume(spacing: Triple, plateau_hu: float) -> None:
    scene, truth_ml = image_of(lambda z, y, x: z**2 + y**2 + x**2 < 10.0**2, spacing, plateau_hu)
    assert measured(scene)[1] == pytest.approx(truth_ml, rel=0.03)


def test_a_small_sphere_of_50_microlitres_has_its_volume() -> None:
    scene, truth_ml = image_of(lambda z, y, x: z**2 + y**2 + x**2 < 2.3**2, (0.8, 0.5, 0.5), 1800.0)
    assert measured(scene)[1] == pytest.approx(truth_ml, rel=0.10)


def test_a_thin_cord_is_measured_though_it_never_reaches_its_plateau() -> None:
    scene, truth_ml = image_of(lambda z, y, x: (y**2 + x**2 < 1.0) & (abs(z) < 8.0), (0.8, 0.5, 0.5), 2200.0)
    assert scene.hu.max() < 2200.0
    assert measured(scene)[1] == pytest.approx(truth_ml, rel=0.12)


@pytest.mark.parametrize("plateau_hu", [3500.0, 5000.0])
def test_edges_tell_the_plateau_that_the_clip_hides(plateau_hu: float) -> None:
    scene, _ = image_of(
        lambda z, y, x: z**2 + y**2 + x**2 < 9.0**2, (0.8, 0.5, 0.5), plateau_hu, clip_hu=3071.0
    )
    background = np.full(scene.hu.shape, BACKGROUND_HU, dtype=np.float32)
    assert scene.clip_hu == 3071.0
    fit = fit_edges(scene, scene.hu > 1600.0, background, plateau_hu=3071.0, clipped=True)
    assert fit is not None
    assert fit.plateau_hu == pytest.approx(plateau_hu, rel=0.08)
    # The clip also hides whether the kernel overshoots, which would make the same flank with less blur.
    assert fit.sigma_mm == pytest.approx(BLUR_MM, rel=0.30)


def test_a_background_brighter_than_the_deposit_says_nothing_of_its_edges() -> None:
    def ball(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return z**2 + y**2 + x**2 <= 9.0**2

    scene, _ = image_of(ball, (1.0, 0.6, 0.6), 2000.0)
    scene = replace(scene, clip_hu=3071.0)
    outline = scene.hu > 1000.0
    background = np.full(scene.hu.shape, BACKGROUND_HU, dtype=np.float32)
    known = fit_edges(scene, outline, background, plateau_hu=2000.0, clipped=False)
    # Metal lay beside it before injection.
    width = scene.hu.shape[2]
    background[:, :, : width * 2 // 5] = 3060.0
    with np.errstate(invalid="raise", divide="raise"):
        beside = fit_edges(scene, outline, background, plateau_hu=2000.0, clipped=False)
    assert known is not None
    assert beside is not None
    assert beside.sigma_mm == pytest.approx(known.sigma_mm, rel=0.1)
    background[:, :, : width * 3 // 5] = 3060.0
    assert fit_edges(scene, outline, background, plateau_hu=2000.0, clipped=False) is None


def test_a_crumb_that_lies_wholly_within_a_neighbours_blur_is_no_piece_of_its_own() -> None:
    scene, _ = image_of(lambda z, y, x: (y**2 + x**2 < 1.0) & (abs(z) < 8.0), (0.8, 0.5, 0.5), 2200.0)
    crumb = np.zeros(scene.hu.shape, dtype=np.bool_)
    crumb[20:22, 36, 36] = True
    near, far = (ndimage.binary_dilation(crumb, np.ones((3, 3, 3)), iterations=n) for n in (1, 2))
    shell, nothing = far & ~near, np.zeros_like(crumb)
    expected = np.full(crumb.shape, BACKGROUND_HU, dtype=np.float32)
    found = measure_shares(scene, shell | crumb, expected, in_bone=nothing, excluded=nothing)
    assert len(found.pieces) == 1


def test_shares_lie_between_nothing_and_everything() -> None:
    scene, _ = image_of(lambda z, y, x: z**2 + y**2 + x**2 < 6.0**2, (1.5, 0.7, 0.7), 2500.0)
    found, _ = measured(scene)
    assert found.share.min() == 0.0
    assert found.share.max() == 1.0


def test_a_flat_end_between_thick_slices_keeps_its_volume() -> None:
    scene, truth_ml = image_of(
        lambda z, y, x: (z > -10.0) & (z < 8.9) & (y**2 + x**2 < 9.0**2), (3.0, 0.6, 0.6), 1800.0
    )
    assert measured(scene)[1] == pytest.approx(truth_ml, rel=0.03)


def test_a_thin_sheet_has_the_opacity_of_its_source_where_the_image_cannot_tell() -> None:
    scene, truth_ml = image_of(
        lambda z, y, x: (
            (z**2 + y**2 + (x + 6.0) ** 2 < 7.0**2) | ((abs(x - 9.0) < 0.5) & (abs(z) < 8.0) & (abs(y) < 5.0))
        ),
        (1.0, 0.5, 0.5),
        2400.0,
    )
    found, volume_ml = measured(scene)
    sheet = next(piece for piece in found.pieces if piece.thin)
    assert sheet.plateau_hu == pytest.approx(2400.0, rel=0.15)
    assert sheet.volume_ml == pytest.approx(0.16, rel=0.20)
    assert volume_ml == pytest.approx(truth_ml, rel=0.03)


def test_cement_thinned_outside_bone_has_its_own_opacity_beside_that_of_the_source() -> None:
    in_bone_mm = 1.0

    def source(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return (x < in_bone_mm) & (x > -12.0) & (abs(y) < 8.0) & (abs(z) < 8.0)

    def leak(z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return (x >= in_bone_mm) & (x < 9.0) & (abs(y) < 5.0) & (abs(z) < 5.0)

    spacing = (1.0, 0.6, 0.6)
    dense, dense_ml = image_of(source, spacing, 2400.0)
    thinned, thinned_ml = image_of(leak, spacing, 620.0)
    scene = replace(dense, hu=dense.hu + thinned.hu - BACKGROUND_HU)
    rough = scene.hu > BACKGROUND_HU + 250.0
    places = np.indices(rough.shape)[2] * spacing[2] - 18.0
    nothing = np.zeros(rough.shape, dtype=np.bool_)
    expected = np.full(rough.shape, BACKGROUND_HU, dtype=np.float32)
    found = measure_shares(scene, rough, expected, in_bone=places < in_bone_mm + 1.0, excluded=nothing)
    volume_ml = float(found.share.sum(dtype=np.float64)) * scene.voxel_ml
    assert volume_ml == pytest.approx(dense_ml + thinned_ml, rel=0.06)
    assert sorted(round(piece.plateau_hu, -2) for piece in found.pieces[:2]) == [600.0, 2400.0]


def test_lung_beside_a_leak_is_its_background() -> None:
    spacing = (1.0, 0.6, 0.6)
    scene, truth_ml = image_of(lambda z, y, x: (y**2 + x**2 < 2.0**2) & (abs(z) < 9.0), spacing, 900.0)
    lung_hu = -800.0
    share = (scene.hu - BACKGROUND_HU) / (900.0 - BACKGROUND_HU)
    scene = replace(scene, hu=(lung_hu + share * (900.0 - lung_hu)).astype(np.float32))
    rough = scene.hu > 200.0
    nothing = np.zeros(rough.shape, dtype=np.bool_)
    expected = np.full(rough.shape, BACKGROUND_HU, dtype=np.float32)
    found = measure_shares(scene, rough, expected, in_bone=nothing, excluded=nothing)
    assert float(found.share.sum()) * scene.voxel_ml == pytest.approx(truth_ml, rel=0.1)


@pytest.mark.parametrize("plateau_hu", [1200.0, 4200.0])
def test_the_stated_error_is_that_of_the_volume(plateau_hu: float) -> None:
    scene, truth_ml = image_of(
        lambda z, y, x: z**2 + y**2 + x**2 < 10.0**2, (1.25, 0.6, 0.6), plateau_hu, clip_hu=3071.0
    )
    found, volume_ml = measured(scene)
    (piece,) = found.pieces
    assert abs(volume_ml - truth_ml) < 2.5 * piece.sd_ml
    assert piece.sd_ml < 0.05 * truth_ml
    assert piece.clipped == (plateau_hu > 3071.0)


def test_cortex_brighter_than_an_earlier_scan_showed_it_adds_no_cement() -> None:
    spacing = (0.8, 0.5, 0.5)
    scene, truth_ml = image_of(lambda z, y, x: z**2 + y**2 + x**2 < 9.0**2, spacing, 1600.0)
    shape = scene.hu.shape
    y = (np.arange(shape[1])[None, :, None] - 0.5 * shape[1]) * spacing[1]
    cortex = np.broadcast_to((y > 9.3) & (y < 11.3), shape)
    hu = np.where(cortex, np.maximum(scene.hu, 0.0) + 600.0, scene.hu).astype(np.float32)
    scene = replace(scene, hu=hu)
    expected = np.where(cortex, BACKGROUND_HU + 100.0, BACKGROUND_HU).astype(np.float32)
    nothing, everywhere = np.zeros(shape, dtype=np.bool_), np.ones(shape, dtype=np.bool_)
    rough = scene.hu > BACKGROUND_HU + 700.0
    doubt = np.where(ndimage.binary_dilation(cortex, iterations=2), 600.0, 0.0).astype(np.float32)
    volumes_ml = [
        scene.voxel_ml
        * float(
            measure_shares(
                scene,
                rough,
                expected,
                in_bone=everywhere,
                excluded=nothing,
                known=everywhere,
                doubt_hu=doubted,
            ).share.sum(dtype=np.float64)
        )
        for doubted in (np.zeros(shape, dtype=np.float32), doubt)
    ]
    assert volumes_ml[1] == pytest.approx(truth_ml, rel=0.02)
    assert volumes_ml[0] > volumes_ml[1]
