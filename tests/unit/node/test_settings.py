"""A node says what is wrong with its settings before it listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from cementct.core.errors import UsageError
from cementct.core.formats import ReportFormat
from cementct.node.settings import read_settings

GOOD = """
spool = "spool"
status_port = 8080
[listen]
ae_title = "CEMENTCT"
port = 11112
[[peers]]
ae_title = "ROUTER"
address = "10.1.2.0/24"
[destination]
url = "https://archive.example/dicom-web"
[work]
formats = ["seg", "sr"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_settings_are_read_and_the_spool_lies_beside_them(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, GOOD))
    assert settings.spool == tmp_path / "spool"
    assert settings.work.formats == (ReportFormat.SEG, ReportFormat.SR)
    assert settings.listen.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("port = 11112", "port = 70000", "port"),
        ('address = "10.1.2.0/24"', 'address = "everyone"', "peers"),
        ('url = "https://archive.example/dicom-web"', "", "destination"),
        ('url = "https', 'host = "x"\nurl = "https', "destination"),
        ('url = "https', 'url = "ftp', "http"),
        ('formats = ["seg", "sr"]', 'formats = ["html"]', "work.formats"),
        ("status_port = 8080", "statusport = 8080", "statusport"),
        ('ae_title = "CEMENTCT"', 'ae_title = "A TITLE THAT IS TOO LONG"', "ae_title"),
        ("[listen]", "[listen", "TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError, match=words) as caught:
        read_settings(write(tmp_path, GOOD.replace(old, new, 1)))
    assert "node.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"node\.toml"):
        read_settings(tmp_path / "node.toml")
