"""The command line: its words and its exit statuses."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cementct import __version__, cli


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def cementct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command as a user would give it, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["cementct", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


def test_help_names_every_command_and_what_the_tool_is_not(cementct: Command) -> None:
    help_ = cementct("--help")

    assert help_.status == 0
    assert "not a medical device" in help_.out
    for command in ("run", "sample", "info", "schema"):
        assert f"\n  {command} " in help_.out


def test_help_for_run_has_examples_and_exit_statuses(cementct: Command) -> None:
    help_ = cementct("run", "--help")

    assert "cementct run patient17 --out results" in help_.out
    assert "130 interrupted" in help_.out
    for option in (
        *("--out", "--vertebrae", "--label-scheme", "--top-level", "--levels", "--post", "--pre"),
        *("--lesion", "--cement", "--anatomy", "--jobs", "--skip-existing", "--format", "--json-log"),
    ):
        assert option in help_.out


def test_the_version_is_printed(cementct: Command) -> None:
    assert cementct("--version").out == f"cementct {__version__}\n"


def test_the_schema_is_json_and_lists_the_flags(cementct: Command) -> None:
    schema = json.loads(cementct("schema").out)

    assert "level-unknown" in schema["x-flags"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Usage"),
        (("run",), "Missing argument"),
        (("run", "study"), "Missing option '--out'"),
        (("run", "study", "--out", "out", "--nonsense"), "No such option"),
        (("run", "study", "--out", "out", "--jobs", "0"), "--jobs"),
        (("run", "study", "--out", "out", "--levels", "L9"), "--levels: expected a level such as T12 or L3"),
        (("run", "study", "--out", "out", "--format", "doc"), "--format: expected one of json, csv"),
        (("run", "study", "--out", "out", "--vertebrae", "embeded"), "--vertebrae: expected one of embedded"),
        (("run", "study", "--out", "out", "--label-scheme", "mine"), "--label-scheme: expected one of verse"),
        (("run", "study", "--out", "out", "-q", "-v"), "--verbose and --quiet"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_in_words(
    cementct: Command, arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    ended = cementct(*arguments)

    assert ended.status == 2
    assert says in ended.out + ended.err
    assert "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_label_file_without_its_scheme_is_a_usage_error(cementct: Command, tmp_path: Path) -> None:
    (tmp_path / "labels.nii.gz").touch()

    ended = cementct("run", "study", "--out", "out", "--vertebrae", "labels.nii.gz")

    assert ended.status == 2
    assert "--label-scheme (verse, totalsegmentator, spineps)" in ended.err


@pytest.mark.parametrize("option", ["--vertebrae", "--lesion", "--cement", "--anatomy"])
def test_a_file_that_is_not_there_is_a_refusal(cementct: Command, option: str) -> None:
    ended = cementct("run", "study", "--out", "out", option, "missing.nii.gz")

    assert ended.status == 3
    assert "found nothing at missing.nii.gz" in ended.err


def test_an_input_that_is_not_there_is_refused_in_one_line(cementct: Command) -> None:
    ended = cementct("run", "missing", "--out", "out", "--quiet")

    assert ended.status == 3
    assert ended.err.count("\n") == 1
    assert "missing" in ended.err
    assert json.loads(ended.out.splitlines()[-1]) == {
        "exit_status": 3,
        "out": "out",
        "studies": {"missing": "refused"},
    }


def test_several_inputs_of_which_none_is_there_end_with_four(cementct: Command, tmp_path: Path) -> None:
    ended = cementct("run", "one", "two", "--out", "out", "--json-log")

    assert ended.status == 4
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert [event["event"] for event in events if event["event"] == "study-finished"] == [
        "study-finished"
    ] * 2
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [study["state"] for study in summary["studies"]] == ["refused", "refused"]


def test_options_of_one_study_are_refused_with_two(cementct: Command) -> None:
    ended = cementct("run", "one", "two", "--out", "out", "--levels", "L2")

    assert ended.status == 2
    assert "--levels: expected one study" in ended.err


def test_info_refuses_what_holds_nothing(cementct: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    ended = cementct("info", "empty", "--json")

    assert ended.status == 3
    (study,) = json.loads(ended.out)["studies"]
    assert study["refused"]


def test_an_internal_error_is_one_line_without_its_message_and_ends_with_one(
    cementct: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the name of a patient")

    monkeypatch.setattr(cli, "_run", fail)

    ended = cementct("run", "study", "--out", "out")

    assert ended.status == 1
    assert ended.err.startswith("cementct: internal error: RuntimeError in test_cli.py, line ")
    assert "name of a patient" not in ended.err
    assert "--debug" in ended.err
    assert "name of a patient" in cementct("run", "study", "--out", "out", "--debug").err


def test_an_interrupt_ends_with_130(cementct: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupt)

    assert cementct("run", "study", "--out", "out").status == 130


def test_help_comes_at_once() -> None:
    best_s = 10.0
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cementct.cli", "--help"], check=True, capture_output=True)
        best_s = min(best_s, time.perf_counter() - start)
    # 0.2 s on two idle cores; the bound leaves room for a busy machine.
    assert best_s < 1.5


def test_help_imports_nothing_heavy() -> None:
    asked = "import sys, cementct.cli; print(*sorted(set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)

    assert not {"numpy", "scipy", "SimpleITK", "pydicom", "skimage", "msgspec"} & set(loaded.stdout.split())
