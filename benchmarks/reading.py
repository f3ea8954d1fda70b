"""How fast series are found and read: each time beside a yardstick of the same run.

Run with ``python benchmarks/reading.py``; it writes its own CT series into a temporary folder.
"""

from __future__ import annotations

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom

from cementct.core.grid import Grid
from cementct.io.dicom import read_series, scan_folder
from cementct.io.files import read_volume
from cementct.io.labelmaps import write_label_map, write_nifti

REPEATS = 5


def median_s(work: Callable[[], object]) -> float:
    """Return the median time of some calls, in seconds, after one call to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def writer() -> ModuleType:
    """Return the tests' writer of CT series."""
    path = Path(__file__).resolve().parents[1] / "tests" / "dicom_writer.py"
    spec = importlib.util.spec_from_file_location("dicom_writer", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def patient(slices: int, size: int) -> np.ndarray:
    """Return soft tissue with noise in air, in HU."""
    rng = np.random.default_rng(0)
    hu = rng.normal(40, 25, (slices, size, size)).astype(np.int16)
    hu[:, : size // 8] = -1000
    return hu


def main() -> None:
    """Print one line for each kind of work."""
    ct = writer()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        hu = patient(300, 512)
        ct.write_ct(folder / "series", hu)
        ct.write_ct(folder / "headers", patient(5000, 8))
        series = scan_folder(folder / "series").series[0]
        files = sorted((folder / "series").iterdir())
        copy = median_s(hu.copy)
        by_pydicom = median_s(lambda: [pydicom.dcmread(path).pixel_array for path in files])
        by_us = median_s(lambda: read_series(series))
        scan = read_series(series)
        write_nifti(folder / "v.nii.gz", hu, Grid(hu.shape, (1.0, 0.8, 0.7), (0.0, 0.0, 0.0)))
        labels = (scan.volume.hu > 60).astype(np.uint8)
        labels[:, :, 200:] = 0
        rows = {
            "numpy.copy of 300 × 512 × 512 int16": copy,
            "pydicom, pixel_array slice by slice": by_pydicom,
            "read_series to HU": by_us,
            "scan 300 headers": median_s(lambda: scan_folder(folder / "series")),
            "scan 5000 headers": median_s(lambda: scan_folder(folder / "headers")),
            "read_volume of .nii.gz": median_s(lambda: read_volume(folder / "v.nii.gz")),
            "write_label_map": median_s(lambda: write_label_map(folder / "l.nii.gz", labels, scan)),
        }
    for work, seconds in rows.items():
        print(
            f"{work:40s}{seconds:8.3f} s {seconds / by_pydicom:6.2f} × pydicom {seconds / copy:6.2f} × copy"
        )


if __name__ == "__main__":
    main()
