"""Small CT series on disk."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def ct() -> ModuleType:
    """Return the writer of small CT series, `tests/dicom_writer.py`."""
    path = Path(__file__).resolve().parents[2] / "dicom_writer.py"
    spec = importlib.util.spec_from_file_location("dicom_writer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
