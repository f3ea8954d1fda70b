"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("CEMENTCT_THREADS", "1")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real CT volumes, which are not part of the project; skip where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real CT volumes (../shared/data) are not here")
    return folder
