"""Every line of the speed table measured, each beside yardsticks of the same run, and how cost grows.

Usage: ``python -m benchmarks.speed [--write]``. The phantoms are made once, in ``.cache/speed``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
    os.environ.setdefault(_name, "1")

import pydicom

from benchmarks.reading import median_s, patient, writer
from benchmarks.speed.cases import LENGTHS, many, nine_bodies, one_vertebra, treated
from benchmarks.speed.runs import Run, page_times, run_cold, run_warm
from benchmarks.speed.tables import Growth, Row, Yardsticks, text_of, write
from cementct.io.dicom import read_series, scan_folder

DATA_ONLY = ("--format", "json")
# Each run is timed so often, and the median counts.
REPEATS = 3
MOST_GB = 1.5
STUDIES = (1, 2, 4)


def main() -> None:
    """Measure, print, and with ``--write`` write docs/performance.md."""
    parser = argparse.ArgumentParser(description="Measures the speed of reading and of whole runs.")
    parser.add_argument("--write", action="store_true", help="write the tables and the plot into docs")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        yardsticks, rows = measure_reading(Path(temporary))
    whole, growths = measure_runs()
    text = text_of([*rows, *whole], yardsticks, growths)
    print(text)
    if wanted.write:
        write(text, growths)


def measure_reading(folder: Path) -> tuple[Yardsticks, list[Row]]:
    """Return the yardsticks, and the lines about reading."""
    ct, hu = writer(), patient(300, 512)
    ct.write_ct(folder / "series", hu)
    ct.write_ct(folder / "headers", patient(5000, 8))
    series = scan_folder(folder / "series").series[0]
    files = sorted((folder / "series").iterdir())
    by_pydicom = median_s(lambda: [pydicom.dcmread(path).pixel_array for path in files])
    yardsticks = Yardsticks(median_s(hu.copy), by_pydicom, _dcm2niix_s(folder / "series", folder))
    reading = median_s(lambda: read_series(series))
    share = f"{reading / by_pydicom:.2f} × pydicom, to reach 0.35"
    headers = median_s(lambda: scan_folder(folder / "headers"))
    return yardsticks, [
        Row("read 300 uncompressed slices of 512 × 512 to HU", reading, 0.10, share),
        Row("scan 5000 headers and group the series", headers, 0.6),
    ]


def _make_cases() -> None:
    """Make the cases in a process of their own: a child's largest memory is counted from its parent's."""
    with ProcessPoolExecutor(1) as pool:
        made = [pool.submit(treated, n) for n in (1, 2, 3)]
        made += [pool.submit(nine_bodies, n) for n in LENGTHS]
        made.append(pool.submit(one_vertebra))
        for case in made:
            case.result()


def measure_runs() -> tuple[list[Row], list[Growth]]:
    """Return the lines about whole runs, and how their cost grows."""
    _make_cases()
    by_treated = {n: run_cold(treated(n), *DATA_ONLY, repeats=REPEATS) for n in (1, 2, 3)}
    by_length = {n: run_cold(nine_bodies(n), *DATA_ONLY, repeats=REPEATS) for n in LENGTHS}
    cold = run_cold(one_vertebra(), *DATA_ONLY, repeats=REPEATS)
    by_studies = {n: _seconds_of_many(n) for n in STUDIES}
    # After all commands: what this process holds counts in the largest memory of its children.
    page = page_times(treated(1), repeats=5)
    peak_gb = max(run.peak_gb for run in (*by_treated.values(), *by_length.values()))
    memory = f"peak memory {peak_gb:.2f} GB, ≤ {MOST_GB:g}{' ✓' if peak_gb <= MOST_GB else ' ✗'}"
    long = by_length[max(LENGTHS)]
    rows = [
        _run_row("whole run, 300 slices, 1 treated, JSON and label maps, cold", by_treated[1], 3.0),
        _run_row("the same, 3 treated vertebrae", by_treated[3], 3.0, memory),
        _run_row("the same, about 9 vertebrae in view, 3 treated", long, 5.0),
        _run_row("one vertebra, 40 slices, cold", cold, 1.2),
        Row("one vertebra, 40 slices, warm", run_warm(one_vertebra(), repeats=REPEATS), 0.6),
        Row(
            "HTML with pictures on top, 1 treated",
            page.first_s,
            1.5,
            f"the writing itself, with imports; written again {page.again_s:.3f} s",
        ),
    ]
    growths = [
        Growth("slices of 1 mm", {n: run.wall_s for n, run in by_length.items()}),
        Growth("treated vertebrae", {n: run.wall_s for n, run in by_treated.items()}),
        Growth("studies of one vertebra", by_studies),
    ]
    return rows, growths


def _run_row(work: str, run: Run, bar_s: float, more: str = "") -> Row:
    processor = f"{run.processor_s:.1f} s of processor time"
    return Row(work, run.wall_s, bar_s, f"{processor}; {more}" if more else processor)


def _seconds_of_many(count: int) -> float:
    with tempfile.TemporaryDirectory() as temporary:
        return run_cold(many(count, Path(temporary) / "studies"), *DATA_ONLY).wall_s


def _dcm2niix_s(series: Path, out: Path) -> float | None:
    program = shutil.which("dcm2niix")
    if program is None:
        return None
    command = [program, "-z", "n", "-f", "converted", "-w", "1", "-o", str(out), str(series)]
    return median_s(partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL))


if __name__ == "__main__":
    main()
