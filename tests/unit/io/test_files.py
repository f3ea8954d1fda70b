"""Volumes and label maps as single files: values and places are kept, absurd ones refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from types import ModuleType

import nibabel
import numpy as np
import pytest
import SimpleITK

from cementct.core.errors import StudyRefused, UnreadableFile
from cementct.core.flags import Flag
from cementct.core.grid import Grid
from cementct.core.image import PADDING_HU, LabelMap
from cementct.io.files import read_labels, read_volume
from cementct.io.labelmaps import write_label_map, write_nifti
from cementct.io.resample import check_overlap, resample_labels

RAS = np.diag([-0.7, -0.8, 1.5, 1.0])
SHAPE_XYZ = (24, 20, 12)


@pytest.fixture
def hu(ct: ModuleType) -> np.ndarray:
    """Return a patient, shape (z, y, x)."""
    return ct.patient_like(SHAPE_XYZ[::-1])


def save(path: Path, hu_zyx: np.ndarray, affine: np.ndarray = RAS, **header: object) -> Path:
    image = nibabel.Nifti1Image(np.ascontiguousarray(hu_zyx.transpose()), affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.float32, np.int32])
def test_nifti_keeps_values_and_places(tmp_path: Path, hu: np.ndarray, name: str, dtype: type) -> None:
    scan = read_volume(save(tmp_path / name, hu.astype(dtype)))
    assert scan.volume.hu.dtype == np.int16
    assert np.array_equal(scan.volume.hu, hu)
    assert scan.volume.grid.to_lps([2, 3, 4]) == pytest.approx([4 * 0.7, 3 * 0.8, 2 * 1.5])


@pytest.mark.parametrize("axes", ["RAS", "LPI", "PIR", "SAL", "IRP"])
def test_any_order_of_axes_gives_the_same_volume(tmp_path: Path, hu: np.ndarray, axes: str) -> None:
    image = nibabel.Nifti1Image(np.ascontiguousarray(hu.transpose()), RAS)
    change = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(RAS), nibabel.orientations.axcodes2ornt(tuple(axes))
    )
    nibabel.save(image.as_reoriented(change), tmp_path / "turned.nii.gz")
    plain, turned = read_volume(save(tmp_path / "plain.nii", hu)), read_volume(tmp_path / "turned.nii.gz")
    assert np.array_equal(plain.volume.hu, turned.volume.hu)
    assert plain.volume.grid.is_close(turned.volume.grid)


def test_a_label_map_lies_on_the_files_own_grid(tmp_path: Path, hu: np.ndarray) -> None:
    path = save(tmp_path / "a.nii.gz", hu.transpose(1, 2, 0)[::-1], np.array(
        [[0, 0.7, 0, 5], [1.5, 0, 0, 6], [0, 0, 0.8, 7], [0, 0, 0, 1.0]]))  # fmt: skip
    scan = read_volume(path)
    labels = np.where(scan.volume.hu > 0, 21, 0).astype(np.uint8)
    write_label_map(tmp_path / "l.nii.gz", labels, scan)
    source, written = nibabel.load(path), nibabel.load(tmp_path / "l.nii.gz")
    assert np.allclose(source.affine, written.affine)
    assert np.array_equal(np.asarray(written.dataobj) == 21, np.asarray(source.dataobj) > 0)
    assert written.get_data_dtype() == np.uint8
    assert written.header["qform_code"] > 0
    assert written.header["sform_code"] > 0
    assert np.allclose(written.header.get_qform(), written.header.get_sform(), atol=1e-5)
    assert np.array_equal(read_labels(tmp_path / "l.nii.gz").labels, labels)


def test_the_same_labels_give_the_same_bytes_under_any_name(tmp_path: Path, hu: np.ndarray) -> None:
    scan = read_volume(save(tmp_path / "a.nii.gz", hu))
    labels = (scan.volume.hu > 0).astype(np.uint16) * 300
    write_label_map(tmp_path / "one.nii.gz", labels, scan)
    write_label_map(tmp_path / "two.nii.gz", labels, scan)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.nii.gz").read_bytes())[344:348] == b"n+1\0"
    assert read_labels(tmp_path / "one.nii.gz").numbers() == [300]


def test_fractions_and_scaled_numbers_give_floats(tmp_path: Path, hu: np.ndarray) -> None:
    scan = read_volume(save(tmp_path / "a.nii", hu + 0.25))
    assert scan.volume.hu.dtype == np.float32
    assert np.array_equal(scan.volume.hu, (hu + 0.25).astype(np.float32))
    image = nibabel.Nifti1Image(np.ascontiguousarray((hu * 2 + 2048).transpose()).astype(np.int16), RAS)
    image.header.set_slope_inter(0.5, -1024)
    nibabel.save(image, tmp_path / "b.nii")
    raw = bytearray((tmp_path / "b.nii").read_bytes())
    raw[112:120] = struct.pack("<ff", 0.5, -1024)
    (tmp_path / "b.nii").write_bytes(bytes(raw))
    assert nibabel.load(tmp_path / "b.nii").dataobj.slope == 0.5
    assert np.array_equal(read_volume(tmp_path / "b.nii").volume.hu, hu)


def test_not_a_number_and_padding_are_unmeasured(tmp_path: Path, hu: np.ndarray) -> None:
    values = hu.astype(np.float32)
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = np.nan, -3024, -8192
    scan = read_volume(save(tmp_path / "a.nii", values))
    assert scan.volume.hu[0, 0, 0] == scan.volume.hu[1, 1, 1] == scan.volume.hu[2, 2, 2] == PADDING_HU
    assert scan.volume.hu.dtype == np.int16


def test_nrrd_and_mha_keep_values_and_places(tmp_path: Path, hu: np.ndarray) -> None:
    image = SimpleITK.GetImageFromArray(hu)
    image.SetSpacing((0.7, 0.8, 1.5))
    image.SetOrigin((1, 2, 3))
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, -1))
    for name in ("a.nrrd", "a.mha"):
        SimpleITK.WriteImage(image, str(tmp_path / name), useCompression=True)
        scan = read_volume(tmp_path / name)
        assert np.array_equal(scan.volume.hu, hu[::-1, ::-1])
        assert scan.source_grid.to_lps([2, 3, 4]) == pytest.approx([1 + 2.8, 2 - 2.4, 3 - 3.0])


def test_without_geometry_a_volume_is_refused(tmp_path: Path, hu: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(hu.transpose()), None), tmp_path / "a.nii")
    with pytest.raises(UnreadableFile, match="no geometry"):
        read_volume(tmp_path / "a.nii")
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(hu), str(tmp_path / "a.mha"))
    text = (tmp_path / "a.mha").read_bytes().replace(b"ElementSpacing = 1 1 1\n", b"")
    (tmp_path / "a.mha").write_bytes(text)
    with pytest.raises(UnreadableFile, match="no geometry"):
        read_volume(tmp_path / "a.mha")


@pytest.mark.parametrize("bad", ["sheared", "nan", "singular", "flat", "series"])
def test_impossible_volumes_are_refused(tmp_path: Path, hu: np.ndarray, bad: str) -> None:
    affine, values = RAS.copy(), hu
    if bad == "sheared":
        affine[1, 2] = 0.4
    elif bad == "singular":
        affine[:, 2] = affine[:, 1]
    elif bad == "flat":
        values = hu[:1]
    elif bad == "series":
        values = np.stack([hu, hu])
    path = save(tmp_path / "a.nii", values, affine)
    if bad in {"nan", "singular"}:
        raw = bytearray(path.read_bytes())
        raw[252:256] = struct.pack("<hh", 0, 2)
        if bad == "nan":
            raw[280:284] = struct.pack("<f", np.nan)
        path.write_bytes(bytes(raw))
    with pytest.raises(StudyRefused, match=r"a\.nii: expected"):
        read_volume(path)


def test_absurd_headers_are_refused_before_memory_is_taken(tmp_path: Path, hu: np.ndarray) -> None:
    path = save(tmp_path / "a.nii", hu)
    whole = path.read_bytes()
    for shape in ((30000, 30000, 30000), (1000, 1000, 1000), (-5, 20, 12), (0, 20, 12)):
        raw = bytearray(whole)
        raw[40:48] = struct.pack("<hhhh", 3, *shape)
        path.write_bytes(bytes(raw))
        with pytest.raises(UnreadableFile):
            read_volume(path)
        (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(raw)))
        with pytest.raises(UnreadableFile):
            read_volume(tmp_path / "b.nii.gz")


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, hu: np.ndarray) -> None:
    small = save(tmp_path / "a.nii", hu).read_bytes()
    with gzip.open(tmp_path / "bomb.nii.gz", "wb") as packed:
        packed.write(small)
        for _ in range(16):
            packed.write(bytes(4 * 1024 * 1024))
    assert np.array_equal(read_volume(tmp_path / "bomb.nii.gz").volume.hu, hu)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
def test_cut_and_foreign_files_are_refused_by_name(tmp_path: Path, hu: np.ndarray, name: str) -> None:
    path = tmp_path / name
    if name.startswith("a.nii"):
        save(path, hu)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(hu), str(path))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not an image", whole[:100]):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=rf"^{name}: "):
            read_volume(path)


def test_a_header_that_points_elsewhere_is_not_followed(tmp_path: Path, hu: np.ndarray) -> None:
    secret = tmp_path / "secret.raw"
    secret.write_bytes(hu.tobytes())
    mha = tmp_path / "a.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(hu), str(mha))
    head = mha.read_bytes().split(b"ElementDataFile")[0]
    mha.write_bytes(head + f"ElementDataFile = {secret}\n".encode())
    with pytest.raises(UnreadableFile, match="points to another"):
        read_volume(mha)


def test_numbers_that_cannot_be_hu_are_refused(tmp_path: Path, hu: np.ndarray) -> None:
    raw_detector = hu + 1000 - hu.min() - 1000
    for values in (raw_detector, np.clip(hu, 0, 255), (hu / 1000).astype(np.float32), np.full_like(hu, 40)):
        with pytest.raises(StudyRefused, match="expected Hounsfield units"):
            read_volume(save(tmp_path / "a.nii", values))


def test_a_shifted_scale_is_flagged(tmp_path: Path, hu: np.ndarray) -> None:
    inside = hu[:, 4:-4, 4:-4] * 4 + 1500
    assert [f.flag for f in read_volume(save(tmp_path / "a.nii", inside)).flags] == [Flag.NOT_HU]


def test_a_crop_inside_the_body_is_hu(tmp_path: Path, hu: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    bone = np.rint(rng.normal(180, 70, hu.shape)).astype(np.int16)
    bone[4:8, 5:12, 5:12] = 2500
    assert read_volume(save(tmp_path / "a.nii", bone)).flags == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float64])
def test_labels_of_any_type_are_read(tmp_path: Path, dtype: type) -> None:
    labels = np.zeros((6, 7, 8), dtype)
    labels[2:4, 3, 3], labels[5] = 20, 28
    nibabel.save(nibabel.Nifti1Image(labels.transpose(), RAS, dtype=dtype), tmp_path / "l.nii.gz")
    assert read_labels(tmp_path / "l.nii.gz").numbers() == [20, 28]


def test_labels_that_are_no_whole_numbers_are_refused(tmp_path: Path) -> None:
    for value in (0.5, -1.0, 70000.0):
        labels = np.zeros((6, 7, 8), np.float32)
        labels[2, 2, 2] = value
        nibabel.save(nibabel.Nifti1Image(labels.transpose(), RAS), tmp_path / "l.nii")
        with pytest.raises(UnreadableFile, match="whole numbers"):
            read_labels(tmp_path / "l.nii")


GRID = Grid((6, 8, 10), (2.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def blocks() -> LabelMap:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[1:3, 2:5, 2:6], labels[4, 1:3, 7:9] = 21, 22
    return LabelMap(labels, GRID)


def test_labels_on_the_same_grid_stay_as_they_are() -> None:
    assert np.array_equal(resample_labels(blocks(), GRID).labels, blocks().labels)


def test_labels_on_a_finer_grid_fill_the_same_block() -> None:
    fine = resample_labels(blocks(), GRID.resized((1.0, 0.5, 0.25)))
    for number in (21, 22):
        assert fine.mask(number).volume_ml == pytest.approx(blocks().mask(number).volume_ml)


def test_labels_on_a_turned_grid_are_found_where_they_lie() -> None:
    angle = 0.4
    turned = Grid(
        (20, 30, 30),
        (1.0, 0.6, 0.6),
        (-4.0, -4.0, -2.0),
        ((0.0, 0.0, 1.0), (-np.sin(angle), np.cos(angle), 0.0), (np.cos(angle), np.sin(angle), 0.0)),
    )
    moved = resample_labels(blocks(), turned)
    index = np.argwhere(moved.labels == 21)
    back = np.floor(GRID.to_index(turned.to_lps(index)) + 0.5).astype(int)
    assert np.all(blocks().labels[tuple(back.T)] == 21)
    assert moved.mask(21).volume_ml == pytest.approx(blocks().mask(21).volume_ml, rel=0.1)


def test_labels_that_lie_elsewhere_are_refused() -> None:
    check_overlap(blocks(), GRID, "l.nii.gz")
    with pytest.raises(StudyRefused, match=r"l\.nii\.gz: expected labels"):
        check_overlap(blocks(), Grid((6, 8, 10), (2.0, 1.0, 1.0), (500.0, 0.0, 0.0)), "l.nii.gz")


def test_written_voxels_are_read_back(tmp_path: Path, hu: np.ndarray) -> None:
    grid = Grid(hu.shape, (1.5, 0.8, 0.7), (1.0, 2.0, 3.0))
    write_nifti(tmp_path / "v.nii.gz", hu, grid)
    scan = read_volume(tmp_path / "v.nii.gz")
    assert scan.source_grid.is_close(grid)
    assert np.array_equal(scan.volume.hu, hu)
