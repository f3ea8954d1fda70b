"""Odd files are read in a child: its crash, its hunger and its sleep are refusals of this file alone."""

from __future__ import annotations

import operator
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cementct.core.errors import UnreadableFile
from cementct.io import apart
from cementct.io.apart import ReadingFailed, read_apart
from cementct.io.limits import check_spacing

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="limits on memory are set as Linux knows them"
)


@pytest.fixture(autouse=True)
def _fresh_child() -> None:
    """Forget what earlier tests did to the child of this process."""
    apart._child_of.cache_clear()  # noqa: SLF001 - a user's process starts without one


def double(numbers: np.ndarray) -> np.ndarray:
    return read_apart(operator.mul, numbers, 2)


def process_id() -> int:
    return read_apart(os.getpid)


def test_results_come_back_and_one_child_serves_all() -> None:
    assert np.array_equal(double(np.arange(5)), 2 * np.arange(5))
    assert process_id() == process_id() != os.getpid()


def test_a_crash_is_a_refusal_and_the_next_file_is_read() -> None:
    with pytest.raises(ReadingFailed, match="reading it crashed"):
        read_apart(os.abort)
    assert process_id() > 0


def test_what_a_decoder_prints_reaches_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    for stream in (1, 2):
        assert read_apart(os.write, stream, b"noise") == 5
    assert capfd.readouterr() == ("", "")


def test_a_child_that_takes_too_long_is_ended_and_after_three_none_is_started() -> None:
    for _ in range(apart.MOST_LATE):
        with pytest.raises(ReadingFailed, match=r"within 0\.5 s, was not"):
            read_apart(time.sleep, 60, limit_s=0.5)
    with pytest.raises(ReadingFailed, match="not tried, because 3 files"):
        process_id()


def test_memory_beyond_the_voxels_is_refused() -> None:
    with pytest.raises(ReadingFailed, match="more memory"):
        read_apart(bytes, 3_000_000_000)
    assert process_id() > 0


def test_refusals_come_back_as_they_are_and_other_errors_without_their_words() -> None:
    with pytest.raises(UnreadableFile, match="expected voxel spacings"):
        read_apart(check_spacing, (0.0,), "a.dcm")
    with pytest.raises(ReadingFailed, match=r"^cannot be read \(ValueError\)$"):
        read_apart(int, "Roe^Alexandra")


def test_no_module_of_the_current_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "pickle", "this"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)")
    monkeypatch.chdir(tmp_path)
    assert process_id() > 0
