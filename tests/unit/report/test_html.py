"""The page: fetches nothing, says everything in its order, and is the same every time."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from cementct.core.findings import StudyReport
from cementct.core.formats import DEFAULT_FORMATS
from cementct.report.html import render_html
from cementct.report.material import ReportMaterial
from cementct.report.write import write_report

# Tags that have no end.
VOID = {"meta", "br", "img", "rect", "image", "use", "line", "path", "link", "hr"}


class Page(HTMLParser):
    """What a page holds: open tags that were never closed, addresses, identities and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.identities: list[str] = []
        self.roles: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.addresses += [v for k, v in attrs if k in {"href", "src", "action"} and v]
        self.identities += [v for k, v in attrs if k == "id" and v]
        if known.get("role") == "img":
            self.roles.append(known)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """The words a reader sees, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture
def page(block_report: StudyReport, material: ReportMaterial) -> str:
    return render_html(block_report, material, study="patient-07")


def test_the_page_is_well_formed_and_holds_all_that_it_shows(page: str) -> None:
    found = Page(page)

    assert found.open == []
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in found.addresses)
    assert {a[1:] for a in found.addresses if a.startswith("#")} <= set(found.identities)
    assert len(found.identities) == len(set(found.identities))
    assert "<script" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_first_screen_has_its_parts_in_order(report: StudyReport) -> None:
    text = Page(render_html(report, None)).text

    order = [
        "For research; not a medical device",
        "T12 counted from the ribs",
        "L2 counted from the sacrum",
        "Spinal canal: T12 possible; L2 cement present.",
        "stop L2 The left foramen at L2–L3 could not be assessed for streaks.",
        "Vertebrae in view",
        "In words",
        "osteolytic",
        "Series",
        "scout: a single slice",
        "Definitions in short",
        "not a medical device.",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)


def test_every_picture_has_words_for_those_who_cannot_see_it(page: str) -> None:
    pictures = Page(page).roles

    assert len(pictures) > 12
    assert all(picture.get("aria-label") for picture in pictures)
    assert any("with outlines" in str(picture["aria-label"]) for picture in pictures)
    assert any("bare" in str(picture["aria-label"]) for picture in pictures)


def test_each_plane_is_shown_bare_and_outlined_in_both_windows_after_and_before(page: str) -> None:
    assert page.count('class="panel"') == page.count("<use ")
    planes = page.count('class="panels"') - 2  # the overview has one window
    assert page.count("W 2000 L 500</text>") == 2 * planes + 4
    assert page.count("W 4000 L 1000</text>") == 2 * planes
    assert page.count("Before injection") == 2


def test_the_same_findings_give_the_same_page(
    page: str, block_report: StudyReport, material: ReportMaterial
) -> None:
    assert page == render_html(block_report, material, study="patient-07")


def test_words_of_a_report_cannot_become_markup(report: StudyReport) -> None:
    sly = msgspec.structs.replace(
        report,
        study=msgspec.structs.replace(
            report.study, post=msgspec.structs.replace(report.study.post, why="<img src=x onerror=alert(1)>")
        ),
    )

    assert "<img" not in render_html(sly, None)


def test_a_page_without_vertebrae_or_pictures_still_says_so(report: StudyReport) -> None:
    empty = msgspec.structs.replace(report, vertebrae=(), quality=())

    text = Page(render_html(empty, None)).text

    assert "No treated vertebra identified" in text
    assert "No vertebra was identified in the scan" in text


def test_an_untreated_study_has_an_overview_and_no_figures(
    block_report: StudyReport, material: ReportMaterial
) -> None:
    untreated = msgspec.structs.replace(block_report, vertebrae=block_report.vertebrae[:1])

    page = render_html(untreated, material)

    assert "The column" in page
    assert "figure-1" not in page


def test_the_page_never_judges_nor_advises(page: str) -> None:
    text = Page(page).text
    for word in ("no leak", "safe", "success", "recommend", "should"):
        assert word not in text.lower()


def test_writing_makes_the_wanted_files_and_no_other(report: StudyReport, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "study"

    written = write_report(report, None, folder, DEFAULT_FORMATS)

    assert [path.name for path in written] == ["report.json", "report.csv", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in written)
