import numpy as np
import pytest

from cementct.core.grid import Grid
from cementct.testing.hardening import hardening_error_hu, projection_error
from cementct.testing.sampling import Lattices, doubled, scan_fine_volume
from cementct.testing.scanner import noise_hu, scan_volume
from cementct.testing.spec import Kernel, Scanner


def lattices_of(scanner: Scanner, shape: tuple[int, int, int] = (24, 40, 40)) -> Lattices:
    spacing = (scanner.slice_spacing_mm, scanner.pixel_mm, scanner.pixel_mm)
    return Lattices.of(Grid(shape, spacing, (-10.0, 5.0, 30.0)))


@pytest.mark.parametrize("kernel", list(Kernel))
@pytest.mark.parametrize(("spacing", "thickness"), [(1.0, 1.0), (0.8, 2.0), (3.0, 3.0)])
def test_no_kernel_and_no_slice_thickness_changes_the_summed_intensity(
    kernel: Kernel, spacing: float, thickness: float
) -> None:
    scanner = Scanner(0.7, spacing, thickness, kernel)
    lattices = lattices_of(scanner)
    fine = np.zeros(lattices.fine.shape, dtype=np.float32)
    middle = tuple(slice(n // 2 - 3, n // 2 + 4) for n in fine.shape)
    fine[middle] = 2000.0
    image = scan_fine_volume(fine, lattices, scanner)
    assert image.sum() * lattices.scan.voxel_ml == pytest.approx(
        float(fine.sum()) * lattices.fine.voxel_ml, rel=5e-3
    )


def test_a_sharper_kernel_narrows_a_wire_and_overshoots_an_edge() -> None:
    widths, undershoot = [], []
    for kernel in (Kernel.SOFT, Kernel.STANDARD, Kernel.SHARP):
        scanner = Scanner(0.4, 1.0, 1.0, kernel)
        lattices = lattices_of(scanner, (3, 41, 41))
        fine = np.zeros(lattices.fine.shape, dtype=np.float32)
        centre = fine.shape[2] // 2
        fine[:, fine.shape[1] // 2, centre] = 1000.0
        profile = scan_fine_volume(fine, lattices, scanner)[1].sum(axis=0)
        widths.append(float((profile > profile.max() / 2).sum()) * 0.4)
        fine[:] = 0
        fine[:, :, centre:] = 1000.0
        undershoot.append(float(scan_fine_volume(fine, lattices, scanner)[1].min()))
    assert widths[0] >= widths[1] >= widths[2]
    assert undershoot[0] > -1.0
    assert undershoot[2] < -5.0


def test_doubling_a_lattice_keeps_straight_slopes() -> None:
    z, y, x = np.meshgrid(np.arange(6.0), np.arange(5.0), np.arange(7.0), indexing="ij")
    wide = (2 * z - y + 0.5 * x).astype(np.float32)
    fine = doubled(wide, (12, 9, 14))
    zf, yf, xf = (np.arange(n) / 2 - 0.25 for n in fine.shape)
    truth = 2 * zf[:, None, None] - yf[None, :, None] + 0.5 * xf[None, None, :]
    np.testing.assert_allclose(fine[1:-1, 1:-1, 1:-1], truth[1:-1, 1:-1, 1:-1], atol=1e-5)


def test_noise_has_the_wanted_spread_no_offset_and_little_power_at_low_frequencies() -> None:
    noise = noise_hu((6, 96, 96), Scanner(noise_hu=20.0), seed=1)
    assert noise.std() == pytest.approx(20.0, rel=0.03)
    assert abs(float(noise.mean())) < 0.5
    power = np.abs(np.fft.rfft2(noise)).mean(axis=0) ** 2
    assert power[0, 1:4].mean() < 0.35 * power[0, 12:24].mean()


def test_hardening_only_ever_lowers_a_reading() -> None:
    error = projection_error(np.linspace(0, 200, 21))
    assert error[0] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(error) < 0)


def test_between_two_dense_deposits_runs_a_dark_streak_and_in_water_none() -> None:
    y, x = np.mgrid[:140, :140] * 1.0
    image = np.full((1, 140, 140), 40.0, dtype=np.float32)
    grid = Grid((1, 140, 140), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert not hardening_error_hu(image, grid).any()
    for centre in (45, 95):
        image[0][np.hypot(x - centre, y - 70) < 9] = 3000.0
    error = hardening_error_hu(image, grid)[0]
    assert error[70, 64:77].mean() < -40
    assert abs(float(error[20, 64:77].mean())) < 10


def test_stored_numbers_are_clipped_whole_and_the_same_for_the_same_seed() -> None:
    scanner = Scanner(0.7, 1.0, 1.0, clip_hu=3071)
    lattices = lattices_of(scanner, (6, 30, 30))
    fine = np.full(lattices.fine.shape, 50.0, dtype=np.float32)
    fine[:, 15:35, 15:35] = 5000.0
    first = scan_volume(fine, lattices, scanner, seed=3)
    assert first.dtype == np.int16
    assert first.max() == 3071
    assert np.array_equal(first, scan_volume(fine, lattices, scanner, seed=3))
    assert not np.array_equal(first, scan_volume(fine, lattices, scanner, seed=4))
