"""DICOM segmentations become label maps, and their codes name levels."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from cementct.core.errors import UnreadableFile
from cementct.io.dicom import read_series, scan_folder
from cementct.io.files import read_labels
from cementct.io.segments import Purpose, read_segments

SHAPE = (10, 24, 16)
L2, ANY = Code("14293000", "SCT", "L2 vertebra"), Code("51282000", "SCT", "Vertebra")


def describe(number: int, label: str, code: Code) -> highdicom.seg.SegmentDescription:
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=code,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def write_seg(
    folder: Path, masks: np.ndarray, kind: str, descriptions: list[highdicom.seg.SegmentDescription]
) -> Path:
    """Write masks of shape (slices, rows, columns, segments); slices in order of position."""
    source = sorted((dcmread(p) for p in folder.iterdir()), key=lambda d: d.ImagePositionPatient[2])
    labels = masks if kind == "BINARY" else (masks * np.arange(1, masks.shape[-1] + 1)).max(axis=-1)
    segmentation = highdicom.seg.Segmentation(
        source_images=source,
        pixel_array=labels.astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid="2.25.1",
        series_number=9,
        sop_instance_uid="2.25.2",
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="x",
        device_serial_number="x",
    )
    path = folder.parent / "seg.dcm"
    segmentation.save_as(path)
    return path


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), (1, 0, 0, 0, -1, 0)])
def test_segments_lie_where_their_images_do(
    ct: ModuleType, tmp_path: Path, kind: str, orientation: tuple[float, ...]
) -> None:
    folder = ct.write_ct(tmp_path / "ct", ct.patient_like(SHAPE), orientation=orientation)
    scan = read_series(scan_folder(folder).series[0])
    masks = np.zeros((*SHAPE, 2), bool)
    masks[2:5, 3:9, 4:12, 0], masks[6:9, 10:12, 4:6, 1] = True, True
    path = write_seg(folder, masks, kind, [describe(1, "a", L2), describe(2, "L6 vertebra", ANY)])
    segments = read_segments(path)
    assert segments.names == {1: "L2", 2: "L6"}
    by_position = scan.volume.grid.direction[0][2] > 0
    assert by_position
    for number in (1, 2):
        index = np.argwhere(segments.labels.labels == number)
        places = scan.source_grid.to_index(segments.labels.grid.to_lps(index))
        stored = np.rint(places).astype(int)
        own = masks[..., number - 1] if scan.source_grid.direction[0][2] > 0 else masks[::-1, ..., number - 1]
        assert np.count_nonzero(own) == len(index)
        assert own[tuple(stored.T)].all()
    assert read_labels(path).numbers() == [1, 2]
    assert read_segments(path, purpose=Purpose.BODIES).labels.numbers() == []


def test_what_is_no_segmentation_is_refused_by_name(ct: ModuleType, tmp_path: Path) -> None:
    folder = ct.write_ct(tmp_path / "ct", ct.patient_like(SHAPE), file_name=lambda k: f"im{k}.dcm")
    with pytest.raises(UnreadableFile, match=r"im3\.dcm: expected a DICOM segmentation"):
        read_labels(folder / "im3.dcm")
