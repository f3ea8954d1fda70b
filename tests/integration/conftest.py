"""The sample study analysed once, as its user would, for all tests that look at the result."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "sample_data" / "study"


@dataclass(frozen=True)
class Ran:
    """What came of one run of the command line."""

    status: int
    stdout: str
    stderr: str
    out: Path

    def report(self, study: str = "study") -> dict[str, Any]:
        """Return the report of a study as plain data."""
        loaded: dict[str, Any] = json.loads((self.out / study / "report.json").read_text(encoding="utf-8"))
        return loaded


def run_cementct(*words: str | Path, out: Path) -> Ran:
    """Run the command line as a process of its own."""
    command = [sys.executable, "-m", "cementct.cli", "run", *map(str, words), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    return Ran(done.returncode, done.stdout, done.stderr, out)


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the main job on the sample study."""
    return run_cementct(SAMPLE, out=tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def sample_truth() -> dict[str, Any]:
    """Return the truth of the sample study."""
    loaded: dict[str, Any] = json.loads((ROOT / "sample_data" / "truth.json").read_text(encoding="utf-8"))
    return loaded
