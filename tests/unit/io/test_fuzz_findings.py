"""What fuzzing found once: each input is refused in one line now, by a reader that lives on."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_readers.mutate import damaged
from benchmarks.fuzz_readers.reading import check_words, outcome
from benchmarks.fuzz_readers.seeds import Seed, make_seeds
from cementct.core.errors import UnreadableFile
from cementct.io.files import read_volume
from cementct.testing.hostile.sound import write_sound_volume


@pytest.fixture(scope="module")
def seeds() -> dict[str, Seed]:
    """Return the sound inputs by name."""
    return {seed.name: seed for seed in make_seeds()}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("mha-gz", 378), ("mha-gz", 423), ("mha-gz", 1), ("mha", 13), ("enhanced", 19), ("enhanced-rle", 102),
        ("jpeg-lossless", 15), ("jpeg-2000", 11), ("nifti", 22), ("nifti", 3448),
        ("nifti-labels", 1340),
    ],
)  # fmt: skip
def test_what_was_found_is_read_or_refused_and_nothing_is_printed(
    name: str, number: int, seeds: dict[str, Seed], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = damaged(seeds[name], number)
    for file, data in files.items():
        (tmp_path / file).write_bytes(data)
    kind, detail = outcome(seeds[name].reader, tmp_path, sorted(files))
    assert kind in {"read", "refused", "contained"}, detail
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", range(3))
def test_any_kind_of_file_damaged_anyhow_is_read_or_refused(
    number: int, seeds: dict[str, Seed], tmp_path: Path
) -> None:
    for name, seed in seeds.items():
        folder = tmp_path / name
        folder.mkdir()
        files = damaged(seed, 77_000 + number)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        kind, detail = outcome(seed.reader, folder, sorted(files))
        assert kind in {"read", "refused", "contained"}, f"{name}: {detail}"


def test_an_absurd_qform_warns_nobody(tmp_path: Path) -> None:
    import gzip

    path = write_sound_volume(tmp_path / "a.nii.gz")
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[252:256] = struct.pack("<2h", 1, 0)
    data[256:268] = struct.pack("<3f", float("inf"), float("nan"), 1e38)
    path.write_bytes(gzip.compress(bytes(data)))
    program = "import sys, pathlib, cementct.io.files as f; f.read_volume(pathlib.Path(sys.argv[1]))"
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert "Warning" not in ran.stderr
    with pytest.raises(UnreadableFile):
        read_volume(path)


def test_a_message_of_several_lines_or_with_a_name_is_a_fault() -> None:
    from benchmarks.fuzz_readers.reading import Faulty

    check_words("a.dcm: expected this, found that")
    for words in ("two\nlines", "NAMEMARK", "x" * 2000, "\x1b[31mred"):
        with pytest.raises(Faulty):
            check_words(words)


def test_a_volume_of_one_signed_byte_is_read_as_it_stands(tmp_path: Path) -> None:
    import nibabel

    values = np.arange(-120, 120, dtype=np.int8).reshape(8, 6, 5)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / "small.nii")
    hu = read_volume(tmp_path / "small.nii").volume.hu
    assert hu.dtype == np.int16
    assert sorted(hu.ravel().tolist()) == list(range(-120, 120))
