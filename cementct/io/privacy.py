"""Patients kept out of names: folder and file names that hold a patient's name or number are not repeated."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from cementct.io.header import Identity

# What stands in a message in place of a name that holds a patient's.
HIDDEN = "[hidden]"
# Parts of a name or number shorter than this identify only as a whole word.
SHORT_WORD = 4
# A part of a patient number identifies on its own from this length on; shorter ones only as a whole.
LONG_NUMBER = 5
# Words that stand in name fields and identify nobody on their own.
GENERIC = frozenset(
    {
        "anon", "anonym", "anonymous", "anonymised", "anonymized", "case", "ct", "deidentified", "dicom",
        "example", "name", "none", "patient", "phantom", "post", "pre", "removed", "sample", "study",
        "subject", "test", "unknown", "vertebroplasty",
    }
)  # fmt: skip
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})


@dataclass(frozen=True)
class PatientWords:
    """The words by which the patients of a folder could be recognised.

    Attributes
    ----------
    words
        Single words, each of which is telling.
    wholes
        Names and numbers as wholes, as tuples of words.
    prefix
        Path of the folder relative to INPUT; it goes before the names in messages.
    """

    words: frozenset[str] = frozenset()
    wholes: frozenset[tuple[str, ...]] = frozenset()
    prefix: str = ""

    @classmethod
    def of(cls, patients: Iterable[Identity], *, prefix: str = "") -> PatientWords:
        """Return the words of some patients' names and numbers."""
        words: set[str] = set()
        wholes: set[tuple[str, ...]] = set()
        for patient in set(patients):
            for value, least in ((patient.name, 2), (patient.number, LONG_NUMBER)):
                for spelled in _spellings(value):
                    parts = tuple(part for part in re.split(r"[^0-9a-z]+", spelled) if part)
                    if not parts or (parts[0] in GENERIC and len(parts) == 1):
                        continue
                    wholes.add(parts)
                    words.update(part for part in parts if len(part) >= least and part not in GENERIC)
        return cls(frozenset(words), frozenset(wholes), prefix)

    def are_in(self, name: str) -> bool:
        """Tell whether a file or folder name holds a patient's name or number."""
        for spelled in _spellings(name):
            tokens = set(re.split(r"[^0-9a-z]+", spelled)) | set(re.findall(r"[a-z]+|[0-9]+", spelled))
            joined = re.sub(r"[^0-9a-z]+", "", spelled)
            for word in self.words:
                if word in tokens or (len(word) >= SHORT_WORD and word in joined):
                    return True
            for whole in self.wholes:
                together = "".join(whole)
                if set(whole) <= tokens or (len(together) >= SHORT_WORD and together in joined):
                    return True
        return False

    def redact(self, path: str) -> str:
        """Return a path relative to INPUT, without the parts that hold a patient's name or number."""
        path = f"{self.prefix}/{path}" if self.prefix else path
        if not self.words and not self.wholes:
            return path
        return "/".join(HIDDEN if self.are_in(part) else part for part in path.split("/"))


def _spellings(text: str) -> set[str]:
    """Return `text` in small letters without accents, in the ways it may have been written."""
    lower = text.lower()
    plain = unicodedata.normalize("NFKD", lower).encode("ascii", "ignore").decode()
    german = unicodedata.normalize("NFKD", lower.translate(_GERMAN)).encode("ascii", "ignore").decode()
    return {plain, german}
