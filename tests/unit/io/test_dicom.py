"""DICOM series become volumes: every voxel keeps its value and its place."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cementct.core.errors import StudyRefused
from cementct.core.flags import Flag
from cementct.core.image import PADDING_HU
from cementct.io.dicom import DicomFolder, read_series, scan_folder
from cementct.io.scan import Scan

SHAPE = (12, 20, 24)


def only_scan(folder: Path) -> Scan:
    found = scan_folder(folder)
    assert len(found.series) == 1, found.ignored
    return read_series(found.series[0])


def assert_same_places(scan: Scan, hu: np.ndarray, lps_of: np.ndarray) -> None:
    """Check that every voxel as it was written is found where it was written."""
    written = np.indices(hu.shape).reshape(3, -1).T
    places = np.c_[written, np.ones(len(written))] @ lps_of.T
    index = scan.volume.grid.to_index(places[:, :3])
    nearest = np.rint(index).astype(int)
    assert np.abs(index - nearest).max() < 1e-3
    assert np.array_equal(scan.volume.hu[tuple(nearest.T)], hu.reshape(-1))
    assert scan.volume.hu.size == hu.size


def affine(
    orientation: tuple[float, ...], spacing: tuple[float, float, float], origin: tuple[float, ...]
) -> np.ndarray:
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    matrix = np.eye(4)
    matrix[:3, 0] = np.cross(row, column) * spacing[0]
    matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = column * spacing[1], row * spacing[2], origin
    return matrix


def why(folder: DicomFolder) -> str:
    return " | ".join(item.why for item in folder.ignored)


ORIENTATIONS = {
    "head first supine": (1, 0, 0, 0, 1, 0),
    "prone": (-1, 0, 0, 0, -1, 0),
    "feet first, stored from the feet": (-1, 0, 0, 0, 1, 0),
    "lying on the side": (0, 1, 0, -1, 0, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "oblique": (
        np.cos(0.3),
        np.sin(0.3),
        0,
        -np.sin(0.3) * np.cos(0.2),
        np.cos(0.3) * np.cos(0.2),
        np.sin(0.2),
    ),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_voxel_keeps_its_place_however_the_patient_lies(
    ct: ModuleType, tmp_path: Path, name: str
) -> None:
    orientation = tuple(float(v) for v in ORIENTATIONS[name])
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, orientation=orientation)
    scan = only_scan(tmp_path)
    assert_same_places(scan, hu, affine(orientation, (1.0, 0.8, 0.7), (-10.0, -20.0, -300.0)))
    directions = np.asarray(scan.volume.grid.direction)
    assert np.all(np.diag(directions @ [[0, 0, 1], [0, 1, 0], [1, 0, 0]]) > 0)


def test_the_order_comes_from_positions_and_not_from_names_or_numbers(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, tags={"InstanceNumber": 1}, file_name=lambda k: f"deep/er/{(k * 7) % 12}/IM")
    scan = only_scan(tmp_path)
    assert np.array_equal(scan.volume.hu, hu)
    assert scan.series is not None
    assert scan.series.sop_uids == tuple(ct.uid("image", "s", "a", k) for k in range(12))
    assert scan.source_grid.spacing_mm == pytest.approx((1.0, 0.8, 0.7))


def test_a_stack_written_from_head_to_foot_is_the_same_volume(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path / "up", hu, origin=(0, 0, 0))
    ct.write_ct(tmp_path / "down", hu[::-1], origin=(0, 0, 11), step=(0, 0, -1))
    up, down = only_scan(tmp_path / "up"), only_scan(tmp_path / "down")
    assert np.array_equal(up.volume.hu, down.volume.hu)
    assert up.volume.grid.is_close(down.volume.grid)


SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
]


def recode(folder: Path, syntax: str) -> None:
    """Compress all files of a folder with gdcm."""
    import gdcm

    kinds = {
        str(RLELossless): gdcm.TransferSyntax.RLELossless,
        str(JPEGLosslessSV1): gdcm.TransferSyntax.JPEGLosslessProcess14_1,
        str(JPEGLSLossless): gdcm.TransferSyntax.JPEGLSLossless,
        str(JPEG2000Lossless): gdcm.TransferSyntax.JPEG2000Lossless,
    }
    for path in folder.iterdir():
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()


@pytest.mark.parametrize("sign", ["unsigned", "signed"])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda s: s.name)
def test_every_lossless_encoding_gives_the_same_hu(
    ct: ModuleType, tmp_path: Path, syntax: str, sign: str
) -> None:
    hu = ct.patient_like((4, 20, 24))
    plain = syntax in SYNTAXES[:3]
    ct.write_ct(
        tmp_path,
        hu,
        dtype=np.int16 if sign == "signed" else np.uint16,
        intercept=0 if sign == "signed" else -1024,
        syntax=syntax if plain else ExplicitVRLittleEndian,
    )
    if not plain:
        recode(tmp_path, str(syntax))
        assert dcmread(next(tmp_path.iterdir())).file_meta.TransferSyntaxUID == syntax
    scan = only_scan(tmp_path)
    assert scan.volume.hu.dtype == np.int16
    assert np.array_equal(scan.volume.hu, hu)


def test_big_endian_files_are_read(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like((4, 20, 24))

    def swap(data, _k):
        data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()

    ct.write_ct(tmp_path, hu, edit=swap)
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_files_without_preamble_are_found_by_content(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like((4, 20, 24))
    ct.write_ct(tmp_path, hu)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[132:])
    (tmp_path / "notes.txt").write_text("not an image")
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_the_rescale_is_applied_slice_by_slice(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)

    def own_intercept(data, k):
        data.RescaleIntercept = -1024 - 3 * k
        stored = np.frombuffer(data.PixelData, "<u2") + np.uint16(3 * k)
        data.PixelData = stored.tobytes()

    ct.write_ct(tmp_path, hu, edit=own_intercept)
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_a_broken_rescale_slope_gives_floats(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, slope=0.5)
    scan = only_scan(tmp_path)
    assert scan.volume.hu.dtype == np.float32
    assert np.array_equal(scan.volume.hu, hu)


def test_values_beyond_16_bits_give_floats(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE).astype(np.int32)
    hu[3, 5, 5] = 32_700 + 2_000
    ct.write_ct(tmp_path, hu)
    with pytest.raises(StudyRefused, match="found values up to"):
        only_scan(tmp_path)
    hu[3, 5, 5] = 32_800
    ct.write_ct(tmp_path, hu)
    scan = only_scan(tmp_path)
    assert scan.volume.hu.dtype == np.float32
    assert scan.volume.hu[3, 5, 5] == 32_800


def test_junk_above_the_stored_bits_is_left_out(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)

    def junk(data, _k):
        stored = np.frombuffer(data.PixelData, "<u2") | 0xA000
        data.BitsStored, data.HighBit = 12, 11
        data.PixelData = stored.astype("<u2").tobytes()

    ct.write_ct(tmp_path, hu, edit=junk)
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_signed_numbers_in_fewer_bits_keep_their_sign(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)

    def twelve_bits(data, _k):
        stored = np.frombuffer(data.PixelData, "<i2") & 0x0FFF
        data.BitsStored, data.HighBit = 12, 11
        data.PixelData = stored.astype("<u2").tobytes()

    ct.write_ct(tmp_path, hu, dtype=np.int16, intercept=0, edit=twelve_bits)
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_monochrome1_does_not_invert_hu(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, tags={"PhotometricInterpretation": "MONOCHROME1"})
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_padding_is_unmeasured(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    hu[:, 0, :] = -3024
    ct.write_ct(tmp_path, hu, dtype=np.int16, edit=lambda d, _k: d.add_new(0x00280120, "SS", -2000))
    scan = only_scan(tmp_path)
    assert np.all(scan.volume.hu[:, 0, :] == PADDING_HU)
    assert np.array_equal(scan.volume.hu[:, 1:], hu[:, 1:])


def test_a_range_of_padding_is_unmeasured(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    hu[:, 0, :12], hu[:, 0, 12:] = -1020, -1010

    def padding(data, _k):
        data.add_new(0x00280120, "US", 0)
        data.add_new(0x00280121, "US", 20)

    ct.write_ct(tmp_path, hu, edit=padding)
    scan = only_scan(tmp_path)
    assert np.all(scan.volume.hu[:, 0, :] == PADDING_HU)
    assert np.array_equal(scan.volume.hu[:, 1:], hu[:, 1:])


def test_a_padding_value_amid_tissue_is_not_believed(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, edit=lambda d, _k: d.add_new(0x00280120, "US", 1024 + 40))
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_tiny_differences_of_orientation_and_spacing_are_harmless(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)

    def jitter(data, k):
        data.ImageOrientationPatient = [1, 1e-6 * (k % 3), 0, -1e-6 * (k % 2), 1, 0]
        data.PixelSpacing = [0.8 + 1e-5 * (k % 2), 0.7]
        x, y, z = data.ImagePositionPatient
        data.ImagePositionPatient = [x, y, z + 1e-3 * (k % 2)]

    ct.write_ct(tmp_path, hu, edit=jitter)
    scan = only_scan(tmp_path)
    assert np.array_equal(scan.volume.hu, hu)
    assert scan.source_grid.spacing_mm[0] == pytest.approx(1.0, abs=1e-3)
    assert scan.flags == ()


def test_blank_uids_are_recovered(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)

    def blank(data, _k):
        data.SeriesInstanceUID = ""
        data.SOPInstanceUID = ""

    ct.write_ct(tmp_path, hu, edit=blank)
    for path in tmp_path.iterdir():
        data = dcmread(path)
        assert data.file_meta.MediaStorageSOPInstanceUID in {"", None} or data.SOPInstanceUID in {"", None}
    found = scan_folder(tmp_path)
    assert len(found.series) == 1
    assert found.series[0].uid is None
    assert np.array_equal(read_series(found.series[0]).volume.hu, hu)


def test_what_is_no_volume_is_set_aside_with_its_reason(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu)
    ct.write_ct(tmp_path, hu[:1], series="scout", tags={"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]})
    ct.write_ct(tmp_path, hu[:1], series="single")
    ct.write_ct(
        tmp_path, hu, series="mr", tags={"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}
    )
    ct.write_ct(tmp_path, hu[:1], series="sc", tags={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"})
    ct.write_ct(
        tmp_path,
        hu[:1],
        series="dose",
        tags={"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "SR"},
    )
    found = scan_folder(tmp_path)
    assert [s.uid for s in found.series] == [ct.uid("series", "a")]
    reasons = {item.series_instance_uid: item.why for item in found.ignored}
    assert reasons[ct.uid("series", "scout")] == "A scout view (localizer)."
    assert reasons[ct.uid("series", "single")] == "A single slice."
    assert reasons[ct.uid("series", "mr")] == "Not a CT image (modality MR) (12 files)."
    assert reasons[ct.uid("series", "sc")] == "A secondary capture."
    assert reasons[ct.uid("series", "dose")] == "Not a CT image (modality SR)."


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"PixelSpacing": None}, "No pixel spacing"),
        ({"RescaleSlope": None, "RescaleIntercept": None}, "No rescale slope"),
        ({"RescaleSlope": 0}, "An absurd rescale"),
        ({"ImagePositionPatient": None}, "No image position"),
        ({"ImagePositionPatient": ["NaN", "0", "0"]}, "No image position"),
        ({"PixelSpacing": [-0.7, 0.7]}, "An absurd pixel spacing"),
        ({"Rows": 65535, "Columns": 65535}, "An absurd image size"),
        ({"RescaleType": "Z_EFF"}, "Numbers that are not rescaled to HU"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_headers_that_lack_or_contradict_geometry_are_refused(
    ct: ModuleType, tmp_path: Path, tags: dict[str, object], reason: str
) -> None:
    import pydicom

    before = pydicom.config.settings.writing_validation_mode
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        ct.write_ct(tmp_path, ct.patient_like((4, 20, 24)), tags=tags)
    finally:
        pydicom.config.settings.writing_validation_mode = before
    found = scan_folder(tmp_path)
    assert found.series == ()
    assert reason in why(found)


def test_enhanced_frames_are_put_in_order_and_rescaled_one_by_one(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_enhanced(tmp_path / "one", hu, slopes=True)
    scan = only_scan(tmp_path)
    assert np.array_equal(scan.volume.hu, hu)
    assert scan.series is not None
    assert scan.series.kernel == "B60f"
    assert scan.series.frames[:2] == (6, 0)


def test_compressed_enhanced_frames_are_read(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_enhanced(tmp_path / "one", hu)
    data = dcmread(tmp_path / "one")
    data.compress(RLELossless)
    data.save_as(tmp_path / "one")
    assert np.array_equal(only_scan(tmp_path).volume.hu, hu)


def test_a_cut_file_is_named_and_leaves_a_flag(ct: ModuleType, tmp_path: Path) -> None:
    hu = ct.patient_like(SHAPE)
    ct.write_ct(tmp_path, hu, file_name=lambda k: f"IM{k:03d}")
    whole = (tmp_path / "IM011").read_bytes()
    (tmp_path / "IM011").write_bytes(whole[:-100])
    found = scan_folder(tmp_path)
    assert [s.count for s in found.series] == [11]
    assert [f.flag for f in found.series[0].flags] == [Flag.MISSING_SLICES]
    assert "IM011" in found.series[0].flags[0].says
    assert any("Cut short" in i.why and i.file == "IM011" for i in found.ignored)


def test_damaged_compressed_pixels_are_refused_by_name(ct: ModuleType, tmp_path: Path) -> None:
    ct.write_ct(tmp_path, ct.patient_like((4, 20, 24)), file_name=lambda k: f"IM{k:03d}")
    recode(tmp_path, str(JPEG2000Lossless))
    path = tmp_path / "IM002"
    data = bytearray(path.read_bytes())
    data[-400:-20] = bytes(380)
    path.write_bytes(bytes(data))
    with pytest.raises(StudyRefused, match=r"IM002: .*decoded"):
        only_scan(tmp_path)


def test_hostile_uids_and_names_reach_no_message(ct: ModuleType, tmp_path: Path) -> None:
    import pydicom

    before = pydicom.config.settings.writing_validation_mode
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    try:
        ct.write_ct(
            tmp_path / "Roe_Alexandra",
            ct.patient_like((4, 20, 24)),
            tags={"SeriesInstanceUID": "../../etc/passwd", "PatientName": "<b>Roe</b>^Alexandra"},
            skip=(1,),
        )
    finally:
        pydicom.config.settings.writing_validation_mode = before
    found = scan_folder(tmp_path)
    text = repr([*(s.flags for s in found.series), *found.ignored])
    assert "etc" not in text
    assert "Roe" not in text
    assert "Alexandra" not in text


def test_links_are_neither_followed_nor_circled(ct: ModuleType, tmp_path: Path) -> None:
    outside = ct.write_ct(tmp_path / "outside", ct.patient_like(SHAPE), series="outside")
    inside = ct.write_ct(tmp_path / "inside", ct.patient_like(SHAPE))
    (inside / "out").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "file").symlink_to(next(outside.iterdir()))
    found = scan_folder(inside)
    assert [s.uid for s in found.series] == [ct.uid("series", "a")]
    assert sum("symbolic link" in i.why for i in found.ignored) == 3


def test_fake_and_empty_files_are_passed_over(ct: ModuleType, tmp_path: Path) -> None:
    ct.write_ct(tmp_path, ct.patient_like(SHAPE))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "short").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "random").write_bytes(bytes(128) + b"DICM" + np.random.default_rng(0).bytes(4000))
    (tmp_path / "text").write_bytes(b"\x08\x00 but not really DICOM, " * 30)
    assert len(scan_folder(tmp_path).series) == 1


def test_undefined_lengths_and_private_sequences_are_walked(ct: ModuleType, tmp_path: Path) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    hu = ct.patient_like(SHAPE)

    def nested(data, _k):
        inner = Dataset()
        inner.RescaleIntercept = 7
        inner.CodeMeaning = "x"
        item = Dataset()
        item.ProcedureCodeSequence = Sequence([inner, inner])
        item["ProcedureCodeSequence"].is_undefined_length = True
        item.is_undefined_length_sequence_item = True
        data.RequestAttributesSequence = Sequence([item, item])
        data["RequestAttributesSequence"].is_undefined_length = True
        data.add_new(0x00091001, "UN", b"\x00" * 20_000)

    ct.write_ct(tmp_path, hu, edit=nested)
    found = scan_folder(tmp_path)
    assert all(image.pixel_offset is not None for image in found.series[0].images)
    assert np.array_equal(read_series(found.series[0]).volume.hu, hu)
