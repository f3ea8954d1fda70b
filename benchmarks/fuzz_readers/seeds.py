"""The sound files that fuzzing damages: one small study or mask of every kind that the tool reads."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from cementct.core.grid import Grid
from cementct.core.image import Volume
from cementct.io.labelmaps import write_nifti
from cementct.testing.dicom import SeriesDetails, write_ct_series
from cementct.testing.encodings import Encoding, recode

# Slices, rows and columns of a seed: small, so that many cases go into a minute.
SHAPE = (5, 24, 20)
# Words that stand in names and numbers of the seeds' patient; none of them may come back in a message.
MARKS = ("NAMEMARK", "IDMARK4711")


class Reader(Enum):
    """Which of the tool's readers a seed is for."""

    STUDY = "study"
    VOLUME = "volume"
    LABELS = "labels"
    SEGMENTS = "segments"
    HINTS = "hints"


@dataclass(frozen=True)
class Seed:
    """A sound input.

    Attributes
    ----------
    name
        What findings call it.
    reader
        What reads it.
    files
        Bytes by file name.
    """

    name: str
    reader: Reader
    files: dict[str, bytes]


def make_seeds() -> tuple[Seed, ...]:
    """Return one sound input of every kind."""
    with tempfile.TemporaryDirectory() as folder:
        return (*_dicom(Path(folder)), *_volumes(Path(folder)), *_by_hand())


def _hu() -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    hu = rng.normal(40, 30, SHAPE).astype(np.int16)
    hu[:, :3], hu[2:4, 8:12, 8:12] = -1000, 2000
    return hu


def _grid() -> Grid:
    return Grid(SHAPE, (1.5, 0.8, 0.7), (-10.0, -20.0, -300.0))


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _write_classic(folder: Path) -> None:
    import pydicom

    write_ct_series(folder, Volume(_hu(), _grid()), SeriesDetails(number=3, description="seed"))
    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID = f"{MARKS[0]}^JANE", MARKS[1]
        dataset.save_as(path)


def _dicom(folder: Path) -> Iterator[Seed]:
    plain = folder / "explicit"
    _write_classic(plain)
    yield Seed("explicit", Reader.STUDY, _content(plain))
    for encoding in Encoding:
        own = folder / encoding.name
        _write_classic(own)
        for path in own.iterdir():
            recode(path, encoding)
        yield Seed(encoding.name.lower().replace("_", "-"), Reader.STUDY, _content(own))
    yield from _enhanced(folder, plain)
    yield _segmentation(folder, plain)


def _enhanced(folder: Path, plain: Path) -> Iterator[Seed]:
    import pydicom
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence
    from pydicom.uid import EnhancedCTImageStorage, RLELossless

    slices = [pydicom.dcmread(path) for path in sorted(plain.iterdir())]
    whole = slices[0]
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = Sequence([_item(ImageOrientationPatient=whole.ImageOrientationPatient)])
    shared.PixelMeasuresSequence = Sequence([_item(PixelSpacing=whole.PixelSpacing, SliceThickness=1.5)])
    for one in slices:
        groups = Dataset()
        groups.PlanePositionSequence = Sequence([_item(ImagePositionPatient=one.ImagePositionPatient)])
        rescale = _item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")
        groups.PixelValueTransformationSequence = Sequence([rescale])
        groups.FrameContentSequence = Sequence([_item(FrameAcquisitionDateTime="20240301101500")])
        frames.append(groups)
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.NumberOfFrames = len(slices)
    whole.PixelData = b"".join(one.PixelData for one in slices)
    del whole.RescaleSlope, whole.RescaleIntercept, whole.ImagePositionPatient
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    own = folder / "enhanced"
    own.mkdir()
    whole.save_as(own / "one.dcm", enforce_file_format=True)
    yield Seed("enhanced", Reader.STUDY, _content(own))
    whole.compress(RLELossless)
    whole.save_as(own / "one.dcm", enforce_file_format=True)
    yield Seed("enhanced-rle", Reader.STUDY, _content(own))


def _item(**values: Any) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _segmentation(folder: Path, plain: Path) -> Seed:
    import highdicom
    import pydicom
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    source = sorted((pydicom.dcmread(p) for p in plain.iterdir()), key=lambda d: d.ImagePositionPatient[2])
    described = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="L2",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=Code("14293000", "SCT", "L2 vertebra"),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    made = highdicom.seg.Segmentation(
        source_images=source,
        pixel_array=(_hu() > 1000).astype(np.uint8)[..., None],
        segmentation_type="BINARY",
        segment_descriptions=[described],
        series_instance_uid="2.25.1",
        series_number=9,
        sop_instance_uid="2.25.2",
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="x",
        device_serial_number="x",
    )
    made.save_as(folder / "seg.dcm")
    return Seed("segmentation", Reader.SEGMENTS, {"seg.dcm": (folder / "seg.dcm").read_bytes()})


def _volumes(folder: Path) -> Iterator[Seed]:
    import SimpleITK

    write_nifti(folder / "a.nii", _hu(), _grid())
    plain = (folder / "a.nii").read_bytes()
    yield Seed("nifti", Reader.VOLUME, {"a.nii": plain})
    yield Seed("nifti-gz", Reader.VOLUME, {"a.nii.gz": gzip.compress(plain, mtime=0)})
    write_nifti(folder / "l.nii", (_hu() > 1000).astype(np.uint8), _grid())
    yield Seed("nifti-labels", Reader.LABELS, {"l.nii": (folder / "l.nii").read_bytes()})
    image = SimpleITK.GetImageFromArray(_hu())
    image.SetSpacing((0.7, 0.8, 1.5))
    for suffix in ("nrrd", "mha"):
        for compressed in (False, True):
            path = folder / f"a.{suffix}"
            SimpleITK.WriteImage(image, str(path), useCompression=compressed)
            name = f"{suffix}-gz" if compressed else suffix
            yield Seed(name, Reader.VOLUME, {path.name: path.read_bytes()})


def _by_hand() -> Iterator[Seed]:
    text = (
        b'{"vertebrae": [{"level": "L2", "centre_lps_mm": [-5.0, -12.0, -297.0], "superior_endplate_lps_mm": '
        b"[[-5.0, -12.0, -296.0], [-4.0, -11.0, -296.0], [-6.0, -13.0, -296.0]]}]}"
    )
    yield Seed("hints", Reader.HINTS, {"anatomy.json": text})
