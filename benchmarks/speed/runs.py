"""Whole runs of the command, cold, each as a process of its own; and warm ones in this process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """What one run took: seconds by the clock and of the processor, and the largest memory in GB."""

    wall_s: float
    processor_s: float
    peak_gb: float


def run_cold(study: Path, *options: str, repeats: int = 1) -> Run:
    """Return the medians of some runs of ``cementct run`` from the start of the process to its end."""
    runs = [_run_once(study, options) for _ in range(repeats)]
    return Run(
        statistics.median(run.wall_s for run in runs),
        statistics.median(run.processor_s for run in runs),
        max(run.peak_gb for run in runs),
    )


def run_warm(study: Path, *, repeats: int) -> float:
    """Return the median seconds of an analysis in a process that has done one before."""
    from cementct.pipeline.analyze import analyze

    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        analyze(study)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


@dataclass(frozen=True)
class PageTimes:
    """Seconds that a report's page with its pictures took: the first time, and the median after that."""

    first_s: float
    again_s: float


def page_times(study: Path, *, repeats: int) -> PageTimes:
    """Return what the page of a finished study takes, the first time with the import of what draws it."""
    from cementct.pipeline.analyze import analyze_source
    from cementct.pipeline.discover import discover_studies
    from cementct.pipeline.options import ReportFormat, RunOptions
    from cementct.pipeline.write import material_of
    from cementct.report.write import write_report
    from cementct.segmentation.presence import shows_cement

    (source,) = discover_studies([study], shows_cement)
    analysis = analyze_source(source, RunOptions())
    times = []
    with tempfile.TemporaryDirectory() as out:
        for _ in range(repeats + 1):
            started = time.perf_counter()
            material = material_of(analysis)
            write_report(analysis.report, material, Path(out), [ReportFormat.HTML], study=study.name)
            times.append(time.perf_counter() - started)
    return PageTimes(times[0], statistics.median(times[1:]))


def _run_once(study: Path, options: tuple[str, ...]) -> Run:
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cementct.cli", "run", str(study), "--out", out, "--quiet", *options]
        # As users run it: a study alone may use all cores, and modules are compiled once.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not (name.endswith("_THREADS") or name == "PYTHONDONTWRITEBYTECODE")
        }
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"{study.name}: the command ended with status {child.returncode}")
    return Run(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9)
