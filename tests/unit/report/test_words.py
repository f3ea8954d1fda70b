"""The summary in words, whole, and what must never be said."""

import itertools
import re
from pathlib import Path

import msgspec
import pytest

from cementct.core.findings import (
    Certainty,
    Compartments,
    CompartmentState,
    Destruction,
    Leak,
    LeakType,
    LesionSource,
    LevelSource,
    Side,
    StudyReport,
    VertebraReport,
)
from cementct.core.flags import REGISTRY, Flag, raise_flag
from cementct.report import wording
from cementct.report.words import behind_what, describe_study, describe_vertebra, leak_title, neural_line

GOLDEN = Path(__file__).parents[2] / "golden" / "report" / "summary.txt"

# Judgement, advice and denial have no place in a report; nor has "no leak", which nobody can know.
FORBIDDEN = re.compile(
    r"\bno leak|\bwithout leak|\bsafe|\bsuccess|\bcomplication|\brecommend|\bshould\b|\bmust\b|\bplease\b"
    r"|\bnormal\b|\bsatisf|\bexcellent|\bgood\b|\bbenign|\bharmless|\bdangerous|\burgent|\badvis",
    re.IGNORECASE,
)


def test_the_example_of_the_specification_is_written_to_the_letter(report: StudyReport) -> None:
    assert describe_study(report)[1] == (
        "L2 (counted from the sacrum): 5.4 ml of cement (90 % interval 5.1–5.7), 4.9 ml in the body, "
        "filling 82 % (78–86) of the lesion on the pre-injection CT. Cement in the spinal canal: 0.12 ml, "
        "left, 2 mm thick, behind L2. Diskal leak L2–L3, 0.31 ml. No cement identified in the right foramen; "
        "the left foramen could not be assessed (streaks)."
    )


def test_the_whole_summary_reads_as_agreed(report: StudyReport) -> None:
    text = "\n".join([neural_line(report), *describe_study(report), ""])

    assert text == GOLDEN.read_text(encoding="utf-8")


def test_without_treatment_the_view_is_named_and_nothing_is_denied(report: StudyReport) -> None:
    untreated = msgspec.structs.replace(report, vertebrae=(report.vertebrae[0], report.vertebrae[2]))

    assert describe_study(untreated)[0] == "No cement identified in the vertebrae in view (T11 to L1)."
    assert neural_line(untreated) == (
        "No treated vertebra was identified; canal and foramina were not assessed for leaked cement."
    )


def test_without_any_vertebra_nothing_could_be_assessed(report: StudyReport) -> None:
    empty = msgspec.structs.replace(report, vertebrae=())

    assert describe_study(empty)[0] == ("No vertebra was identified in the scan; nothing could be assessed.")


def test_an_unnamed_vertebra_goes_by_its_number(report: StudyReport) -> None:
    unnamed = msgspec.structs.replace(
        report.vertebrae[3], level=None, label=103, level_source=LevelSource.UNKNOWN, leaks=(), quality=()
    )

    assert describe_vertebra(unnamed, (unnamed,)).startswith(
        "#103 (level unknown, numbered from the top): 5.4 ml of cement"
    )


def test_treated_without_a_lesion_has_no_filling(report: StudyReport) -> None:
    plain = msgspec.structs.replace(
        report.vertebrae[3],
        lesion_source=LesionSource.NONE,
        destruction=Destruction.NONE,
        filling_rate=None,
        filling_rate_ci90=None,
    )

    assert "4.9 ml in the body; no lesion was identified, so no filling is given." in describe_vertebra(
        plain, report.vertebrae
    )


def test_a_leak_lies_behind_the_nearest_body_or_disc(report: StudyReport) -> None:
    leak = report.vertebrae[3].leaks[0]

    def at(height_mm: float) -> str:
        moved = msgspec.structs.replace(leak, centroid_lps_mm=(0.0, 28.0, height_mm))
        return behind_what(moved, report.vertebrae)

    assert at(-43.0) == "behind L2"
    assert at(-58.0) == "behind the disc L2–L3"
    assert at(1.0) == "behind L1"


def test_a_possible_leak_is_called_so_and_sides_that_are_not_known_are_left_out() -> None:
    leak = Leak(
        type=LeakType.ACCESS_TRACK,
        certainty=Certainty.POSSIBLE,
        volume_ml=0.03,
        side=None,
        centroid_lps_mm=(0.0, 0.0, 0.0),
    )

    assert leak_title(leak, ()) == "Possible leak along the access track"


def test_several_leaks_of_one_type_share_a_sentence(report: StudyReport) -> None:
    vein = report.vertebrae[1].leaks[0]
    other = msgspec.structs.replace(vein, side=Side.LEFT, volume_ml=0.05, vessel_like=False)
    track = msgspec.structs.replace(other, type=LeakType.ACCESS_TRACK)
    leaky = msgspec.structs.replace(report.vertebrae[1], leaks=(vein, other, track, track))

    text = describe_vertebra(leaky, report.vertebrae)

    assert "Paravertebral leaks: right, 0.20 ml, a thin cord as in a vein; left, 0.05 ml." in text
    assert "Leaks along the access track: left, 0.05 ml; left, 0.05 ml." in text


@pytest.mark.parametrize(
    ("volume_ml", "words"), [(0.12, "0.12 ml"), (0.004, "under 0.01 ml"), (0.0, "0.00 ml"), (None, "–")]
)
def test_a_volume_too_small_for_its_decimals_is_not_called_nothing(
    volume_ml: float | None, words: str
) -> None:
    assert wording.millilitres(volume_ml, 2) == words


def test_no_sentence_judges_advises_or_denies_whatever_was_found(report: StudyReport) -> None:
    for vertebra in every_kind_of_vertebra(report.vertebrae[3]):
        both = msgspec.structs.replace(report, vertebrae=(vertebra,))
        for text in (*describe_study(both), neural_line(both)):
            assert not FORBIDDEN.search(text), text


def test_no_flag_judges_or_denies() -> None:
    for definition in REGISTRY.values():
        assert not FORBIDDEN.search(definition.meaning), definition.meaning


def every_kind_of_vertebra(vertebra: VertebraReport) -> list[VertebraReport]:
    """Return the vertebra with every type, certainty and side of leak and every state of its compartments."""
    kinds = []
    for kind, certainty, side in itertools.product(LeakType, Certainty, [*Side, None]):
        leak = Leak(
            type=kind, certainty=certainty, volume_ml=0.03, side=side, centroid_lps_mm=(0.0, 0.0, 0.0)
        )
        kinds.append(msgspec.structs.replace(vertebra, leaks=(leak,), cement_volume_ml=None))
    for state in CompartmentState:
        states = Compartments(**dict.fromkeys(Compartments.__struct_fields__, state))
        flags = (raise_flag(Flag.CANAL_NOT_ASSESSABLE, "The canal is hidden by metal."),)
        kinds.append(msgspec.structs.replace(vertebra, leaks=(), compartments=states, quality=flags))
    return [*kinds, msgspec.structs.replace(vertebra, compartments=None, filling_rate=None)]
