"""The coded concepts of the DICOM results.

Codes of SNOMED CT (SCT) and DICOM (DCM) are those of pydicom's dictionary (`pydicom.sr.codedict`, which is
DICOM PS3.16), the first sacral segment excepted (see `LEVELS`). What has no code there has one in a private
scheme, declared in every object.
"""

from __future__ import annotations

from typing import NamedTuple

from cementct.core.findings import CompartmentState, LeakType, Side
from cementct.core.levels import Level
from cementct.io.segments import BODY_CODE, CEMENT_CODE, LESION_CODE, LEVEL_CODES

PRIVATE_SCHEME = "99CEMENTCT"
PRIVATE_SCHEME_NAME = "cementct: bone cement in vertebrae on CT"
PRIVATE_SCHEME_VERSION = "1"


class Concept(NamedTuple):
    """A coded concept.

    Attributes
    ----------
    value, scheme, meaning
        Code Value, Coding Scheme Designator and Code Meaning (at most 64 characters).
    """

    value: str
    scheme: str
    meaning: str


def _sct(value: str, meaning: str) -> Concept:
    return Concept(value, "SCT", meaning)


def _private(value: str, meaning: str) -> Concept:
    return Concept(value, PRIVATE_SCHEME, meaning)


# PS3.16 CID 7150 and 7151, pydicom's dictionary.
ANATOMY = _sct("91723000", "Anatomical Structure")
ABNORMAL = _sct("49755003", "Morphologically Abnormal Structure")
PHYSICAL_OBJECT = _sct("260787004", "Physical object")
VERTEBRA = _sct("51282000", "Vertebra")
SPINAL_CANAL = _sct("61853006", "Spinal canal structure")
LESION = _sct(LESION_CODE, "Lesion")
LEFT, RIGHT = _sct("7771000", "Left"), _sct("24028007", "Right")
# CID 240.
PRESENT = _sct("52101004", "Present")
ABSENT = _sct("272519000", "Absent")
UNDETERMINED = _sct("373068000", "Undetermined")
VOLUME = _sct("118565006", "Volume")
# The levels are those that are read (`cementct.io.segments`); the first sacral segment is not in pydicom's
# dictionary, its code is the one in the label map that TotalSegmentator publishes for its classes.
LEVELS: dict[Level, Concept] = {
    Level(name): _sct(value, f"Bone structure of {name}") for value, name in LEVEL_CODES.items()
}

DISCS_BELOW: dict[Level, Concept] = {
    Level(name): _sct(value, f"Intervertebral disc below {name}")
    for name, value in {
        "C7": "37414007", "T1": "40908007", "T2": "6004007", "T3": "2620004", "T4": "82965004",
        "T5": "72692000", "T6": "75095006", "T7": "28693002", "T8": "9188009", "T9": "113209001",
        "T10": "34959001", "T11": "1537001", "T12": "76206002", "L1": "80064006", "L2": "67459009",
        "L3": "62551000", "L4": "84020006", "L5": "75782005",
    }.items()
}  # fmt: skip

VERTEBRAL_BODY = _private(BODY_CODE, "Vertebral body")
BONE_CEMENT = _private(CEMENT_CODE, "Bone cement")
LEAK = _private("cement-leakage", "Cement leakage")
LEAKS: dict[LeakType, Concept] = {
    LeakType.DISKAL: _private("leak-diskal", "Diskal cement leakage"),
    LeakType.EPIDURAL: _private("leak-epidural", "Epidural cement leakage"),
    LeakType.PARAVERTEBRAL: _private("leak-paravertebral", "Paravertebral cement leakage"),
    LeakType.FORAMINAL: _private("leak-foraminal", "Foraminal cement leakage"),
    LeakType.ACCESS_TRACK: _private("leak-access-track", "Cement leakage along the access track"),
}
INTERVERTEBRAL_DISC = _private("intervertebral-disc", "Intervertebral disc")
PARAVERTEBRAL_REGION = _private("paravertebral-region", "Paravertebral region")
NEURAL_FORAMEN = _private("neural-foramen", "Neural foramen")
ACCESS_TRACK = _private("access-track", "Access track of the needle")
MIDLINE = _private("midline", "Within 3 mm of the midsagittal plane")

SIDES: dict[Side, Concept] = {Side.LEFT: LEFT, Side.RIGHT: RIGHT, Side.MIDLINE: MIDLINE}
# "Absent" is said only where the compartment was readable and nothing was seen; "possible" is neither.
STATES: dict[CompartmentState, Concept] = {
    CompartmentState.PRESENT: PRESENT,
    CompartmentState.POSSIBLE: _private("possible", "Possible"),
    CompartmentState.NONE_SEEN: ABSENT,
    CompartmentState.NOT_ASSESSABLE: UNDETERMINED,
}


def level_concept(level: Level | None) -> Concept:
    """Return the code of a vertebra; that of any vertebra where its level has none or is unknown."""
    return LEVELS.get(level, VERTEBRA) if level is not None else VERTEBRA
