"""A study's output is there wholly, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cementct.core.errors import OutputNotWritten
from cementct.io.outputs import check_replaceable, whole_folder


def write_and_fail(target: Path, error: BaseException) -> None:
    with whole_folder(target) as folder:
        (folder / "new").write_text("new")
        raise error


def test_what_is_written_stands_in_place_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out" / "study"
    with whole_folder(target) as folder:
        (folder / "a.txt").write_text("a")
        assert not target.exists()
    assert [p.name for p in target.iterdir()] == ["a.txt"]
    assert [p.name for p in target.parent.iterdir()] == ["study"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interruption_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_and_fail(tmp_path / "study", error())
    assert list(tmp_path.iterdir()) == []


def test_a_former_result_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with whole_folder(tmp_path / "study") as folder:
            (folder / name).write_text(name)
    assert [p.name for p in (tmp_path / "study").iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["study"]


def test_a_former_result_stays_where_writing_fails(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "study") as folder:
        (folder / "old").write_text("old")
    with pytest.raises(OSError, match="full"):
        write_and_fail(tmp_path / "study", OSError("disk full"))
    assert [p.name for p in (tmp_path / "study").iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["study"]


def test_only_earlier_results_an_empty_folder_or_nothing_is_replaced(tmp_path: Path) -> None:
    results, empty, images, file = (tmp_path / name for name in ("results", "empty", "images", "file"))
    for folder, names in ((results, ("a.nii.gz", "b.nii.gz")), (empty, ()), (images, ("a.nii.gz",))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text("")
    file.write_text("")
    for replaceable in (results, empty, tmp_path / "nothing"):
        check_replaceable(replaceable, ("a.nii.gz", "b.nii.gz"))
    for other in (images, file):
        with pytest.raises(OutputNotWritten, match="left alone"):
            check_replaceable(other, ("a.nii.gz", "b.nii.gz"))
