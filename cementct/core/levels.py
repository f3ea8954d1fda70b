"""Names of the vertebrae, their order from top to bottom, and their numbers in other people's label maps."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """A vertebra by name, from the first cervical one to the first sacral segment."""

    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"
    C6 = "C6"
    C7 = "C7"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"
    T6 = "T6"
    T7 = "T7"
    T8 = "T8"
    T9 = "T9"
    T10 = "T10"
    T11 = "T11"
    T12 = "T12"
    T13 = "T13"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    S1 = "S1"

    @property
    def is_thoracic(self) -> bool:
        """Whether ribs belong to it."""
        return self.value.startswith("T")

    @property
    def is_lumbar(self) -> bool:
        """Whether it lies between the ribs and the sacrum."""
        return self.value.startswith("L")

    @property
    def verse_number(self) -> int:
        """Its number in the VerSe scheme, which the label maps of this tool use."""
        return _VERSE[self]

    @property
    def rank(self) -> int:
        """Its place from the top, C1 being 0; T13 and L6 have places of their own."""
        return _ORDER.index(self)


_ORDER: tuple[Level, ...] = tuple(Level)

_VERSE: dict[Level, int] = {
    **{Level(f"C{i}"): i for i in range(1, 8)},
    **{Level(f"T{i}"): 7 + i for i in range(1, 13)},
    **{Level(f"L{i}"): 19 + i for i in range(1, 7)},
    Level.S1: 26,
    Level.T13: 28,
}

_TOTALSEGMENTATOR: dict[int, Level] = {
    26: Level.S1,
    **{32 - i: Level(f"L{i}") for i in range(1, 6)},
    **{44 - i: Level(f"T{i}") for i in range(1, 13)},
    **{51 - i: Level(f"C{i}") for i in range(1, 8)},
}

# Vertebrae whose level is unknown are numbered from here, the uppermost first.
FIRST_UNNAMED_LABEL = 101


class LabelScheme(StrEnum):
    """What the numbers of a vertebra label file mean."""

    VERSE = "verse"
    TOTALSEGMENTATOR = "totalsegmentator"
    SPINEPS = "spineps"


def level_of_number(number: int, scheme: LabelScheme) -> Level | None:
    """Return the vertebra that `number` stands for in `scheme`, or None where it is another structure.

    Sources: VerSe challenge label definitions; TotalSegmentator v2 class map of the task ``total``;
    SPINEPS instance files, whose vertebra numbers are VerSe's (discs are 100 + n, endplates 200 + n).
    """
    if scheme is LabelScheme.TOTALSEGMENTATOR:
        return _TOTALSEGMENTATOR.get(number)
    return _VERSE_LEVELS.get(number)


_VERSE_LEVELS = {number: level for level, number in _VERSE.items()}


def regular_sequence(first: Level, count: int) -> list[Level]:
    """Return `count` levels downwards from `first` in a spine of 12 thoracic and 5 lumbar vertebrae.

    Raises
    ------
    ValueError
        Where the sequence would run below S1.
    """
    regular: list[Level] = [level for level in _ORDER if level not in {Level.T13, Level.L6}]
    if first not in regular:
        regular.insert(regular.index(Level.L1 if first is Level.T13 else Level.S1), first)
    start = regular.index(first)
    if start + count > len(regular):
        raise ValueError(f"{count} vertebrae do not fit between {first} and {regular[-1]}")
    return regular[start : start + count]
