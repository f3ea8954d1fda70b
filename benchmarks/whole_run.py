"""Time and memory of whole runs of the command, cold, each as a process of its own.

Usage: ``python benchmarks/whole_run.py STUDY...``
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time


def measure(study: str) -> str:
    """Run one study, and return its line of the table."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cementct.cli", "run", study, "--out", out, "--quiet"]
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - started
    processor_s = used.ru_utime + used.ru_stime
    code = os.waitstatus_to_exitcode(status)
    peak_gb = used.ru_maxrss / 1e6
    return f"{study}: status {code}, {processor_s:.1f} s processor, {wall_s:.1f} s wall, {peak_gb:.2f} GB"


if __name__ == "__main__":
    for path in sys.argv[1:]:
        print(measure(path))
