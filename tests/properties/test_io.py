"""What holds for any geometry and any damage: places are kept, and nothing but a refusal comes out."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import nibabel
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cementct.core.errors import StudyRefused
from cementct.core.grid import Grid
from cementct.core.image import LabelMap
from cementct.io.dicom import read_series, scan_folder
from cementct.io.files import read_labels, read_volume
from cementct.io.labelmaps import write_label_map, write_nifti
from cementct.io.resample import resample_labels
from cementct.io.scan import scan_of

SHAPE = (5, 8, 9)
spacings = st.tuples(*[st.floats(0.3, 5.0).map(lambda v: round(v, 4))] * 3)
origins = st.tuples(*[st.floats(-500, 500).map(lambda v: round(v, 3))] * 3)
angles = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def load_writer() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "dicom_writer.py"
    spec = importlib.util.spec_from_file_location("dicom_writer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CT = load_writer()


def rotation(turns: tuple[float, float, float]) -> np.ndarray:
    a, b, c = turns
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def grid_of(turns: tuple[float, float, float], spacing: tuple[float, ...], origin: tuple[float, ...]) -> Grid:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(turns) * np.asarray(spacing)
    matrix[:3, 3] = origin
    return Grid.from_affine(matrix, SHAPE)


def distinct() -> np.ndarray:
    """Return HU in which every voxel has a value of its own."""
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) - 180).astype(np.int16)


@few
@given(angles, spacings, origins, st.randoms(use_true_random=False))
def test_any_orientation_of_a_series_keeps_every_voxel_in_place(turns, spacing, origin, random) -> None:
    turn = rotation(turns)
    orientation = tuple(np.round([*turn[:, 0], *turn[:, 1]], 9))
    order = list(range(SHAPE[0]))
    random.shuffle(order)
    hu = distinct()
    with tempfile.TemporaryDirectory() as folder:
        CT.write_ct(
            Path(folder),
            hu,
            spacing_mm=spacing,
            origin=origin,
            orientation=orientation,
            file_name=lambda k: f"{order[k]}",
        )
        scan = read_series(scan_folder(Path(folder)).series[0])
    written = np.indices(SHAPE).reshape(3, -1).T
    steps = np.stack(
        [np.cross(turn[:, 0], turn[:, 1]) * spacing[0], turn[:, 1] * spacing[1], turn[:, 0] * spacing[2]]
    )
    index = scan.volume.grid.to_index(written @ steps + origin)
    assert np.abs(index - np.rint(index)).max() < 0.01
    assert np.array_equal(scan.volume.hu[tuple(np.rint(index).astype(int).T)], hu.ravel())


@few
@given(angles, spacings, origins)
def test_a_label_map_written_and_read_lies_where_it_lay(turns, spacing, origin) -> None:
    scan = scan_of(distinct(), grid_of(turns, spacing, origin))
    labels = (np.asarray(scan.volume.hu) % 7).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "l.nii.gz"
        write_label_map(path, labels, scan)
        back = read_labels(path)
        image = nibabel.load(path)
        affine, by_quaternion = image.affine, image.header.get_qform()
    assert np.array_equal(back.labels, labels)
    assert back.grid.is_close(scan.volume.grid, tolerance_mm=1e-3)
    # Near a half turn a quaternion of 32-bit floats is good to about a thousandth of a radian.
    assert np.allclose(affine, by_quaternion, atol=1e-3 * max(spacing) + 1e-3)
    x, y, z = affine[:3, 3]
    assert np.allclose([-x, -y, z], scan.source_grid.origin_lps_mm, atol=1e-3)


@few
@given(angles, spacings, origins)
def test_labels_resampled_to_their_own_grid_under_other_axes_are_the_same(turns, spacing, origin) -> None:
    scan = scan_of(distinct(), grid_of(turns, spacing, origin))
    labels = (np.asarray(scan.volume.hu) % 7).astype(np.uint8)
    own = LabelMap(np.ascontiguousarray(scan.reorientation.undo(labels)), scan.source_grid)
    assert np.array_equal(resample_labels(own, scan.volume.grid).labels, labels)


def dicom_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        CT.write_ct(Path(folder), distinct(), file_name=lambda k: f"{k}")
        return (Path(folder) / "2").read_bytes()


def nifti_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.nii"
        write_nifti(path, distinct(), grid_of((0, 0, 0), (1.0, 1.0, 1.0), (0, 0, 0)))
        return path.read_bytes()


DICOM, NIFTI = dicom_bytes(), nifti_bytes()
damages = st.lists(st.tuples(st.integers(0, 1400), st.binary(min_size=1, max_size=4)), min_size=1, max_size=6)


def damaged(whole: bytes, damage: list[tuple[int, bytes]], keep: float) -> bytes:
    data = bytearray(whole)
    for place, values in damage:
        data[place % len(data) : place % len(data) + len(values)] = values
    return bytes(data[: int(len(data) * keep)])


def refusal_of(work: Callable[[], object]) -> str:
    """Return the message of a refusal; empty where there is none. Nothing else may be raised."""
    try:
        work()
    except StudyRefused as refusal:
        return str(refusal)
    return ""


FOLDER = tempfile.TemporaryDirectory()
CT.write_ct(Path(FOLDER.name), distinct(), file_name=lambda k: f"{k}")


@settings(max_examples=100, deadline=None)
@given(damages, st.sampled_from([1.0, 1.0, 0.9, 0.5]))
def test_a_damaged_dicom_file_is_read_or_refused(damage: list[tuple[int, bytes]], keep: float) -> None:
    (Path(FOLDER.name) / "2").write_bytes(damaged(DICOM, damage, keep))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for series in scan_folder(Path(FOLDER.name)).series:
            assert "\n" not in refusal_of(lambda series=series: read_series(series))


@settings(max_examples=200, deadline=None)
@given(damages, st.sampled_from([1.0, 1.0, 0.9, 0.3]))
def test_a_damaged_nifti_file_is_read_or_refused(damage: list[tuple[int, bytes]], keep: float) -> None:
    path = Path(FOLDER.name) / "v.nii"
    path.write_bytes(damaged(NIFTI, [(place % 352, values) for place, values in damage], keep))
    refusal = refusal_of(lambda: read_volume(path))
    assert refusal == "" or refusal.startswith("v.nii: ")
    assert "\n" not in refusal
