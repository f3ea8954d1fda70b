"""Give every bad study to the command, and tell how each run ended.

Usage: ``python -m benchmarks.hostile [--tiny-files N] [--only NAMES] [--write]``; ``--write`` renews
``docs/reliability.md``, with ``--only`` the rows of these cases. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.reliability import renewed, store
from cementct.testing.hostile.case import HostileCase
from cementct.testing.hostile.corpus import hostile_cases
from cementct.testing.hostile.folder_cases import folder_cases

from .trial import faults, try_case

# Of the folder of tiny files; the tests do with fewer.
TINY_FILES = 100_000


def main() -> None:
    """Run all cases, and exit with 1 where one did not end as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny-files", type=int, default=TINY_FILES)
    parser.add_argument("--only", default="", help="parts of names, comma-separated")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    many = {case.name: case for case in folder_cases(wanted.tiny_files)}
    with tempfile.TemporaryDirectory() as folder:
        names = wanted.only.split(",")
        chosen = [case for case in hostile_cases() if any(name in case.name for name in names)]
        told = [_tell(many.get(case.name, case), Path(folder)) for case in chosen]
    if wanted.write:
        store("hostile", renewed("hostile", told) if wanted.only else told)
    sys.exit(any(one["faults"] for one in told))


def _tell(case: HostileCase, folder: Path) -> dict[str, Any]:
    trial = try_case(case, folder)
    wrong = faults(case, trial)
    said = trial.said.strip().replace(str(folder), "…")
    took = f"{trial.processor_s:.1f} s, {trial.memory_bytes / 1e6:.0f} MB"
    print(f"{case.name}: {trial.status}, {took}: {said} {wrong or ''}", flush=True)
    return {
        "what": case.what,
        "status": trial.status,
        "says": said.partition(": refused: ")[2] or said.partition(": failed: ")[2] or said,
        "s": round(trial.processor_s, 1),
        "mb": round(trial.memory_bytes / 1e6),
        "faults": wrong,
    }


if __name__ == "__main__":
    main()
