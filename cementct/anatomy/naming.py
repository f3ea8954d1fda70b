"""The names of the vertebrae: from a label file, the user, ribs or sacrum, and null where none can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cementct.anatomy.hints import NOTHING_GIVEN, GivenAnatomy
from cementct.anatomy.model import Spine, Vertebra
from cementct.core.findings import LevelSource
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.core.levels import FIRST_UNNAMED_LABEL, Level

# A spine of 7 cervical, 12 thoracic and 5 lumbar vertebrae. Names are counted along it only; a thirteenth
# rib pair or a sixth lumbar vertebra shows as a contradiction and is never counted across.
REGULAR: tuple[Level, ...] = tuple(level for level in Level if level not in {Level.T13, Level.L6})
LUMBAR_COUNT = 5


@dataclass(frozen=True)
class LevelHints:
    """What the user says about levels and vertebrae.

    Attributes
    ----------
    top_level
        Level of the uppermost vertebra whose body is whole in view.
    treated_levels
        Levels that were treated, in any order.
    by_hand
        Vertebrae, their levels and points on their walls, given by hand.
    """

    top_level: Level | None = None
    treated_levels: tuple[Level, ...] = ()
    by_hand: GivenAnatomy = NOTHING_GIVEN


@dataclass(frozen=True)
class Landmarks:
    """What names vertebrae, by their position from the top (0 is the uppermost in view).

    Attributes
    ----------
    given
        Levels of a label file or engine, None where it does not say.
    given_source
        What they were taken from.
    whole
        Whether the body is whole in view.
    bears_ribs
        Whether ribs spring from it; None where it cannot be seen.
    last_above_sacrum
        Position of the vertebra that rests on the sacrum.
    by_hand
        Levels that the user gave by hand; empty where none.
    """

    given: tuple[Level | None, ...]
    given_source: LevelSource
    whole: tuple[bool, ...]
    bears_ribs: tuple[bool | None, ...]
    last_above_sacrum: int | None = None
    by_hand: tuple[Level | None, ...] = ()

    @property
    def last_with_ribs(self) -> int | None:
        """Position of the last vertebra with ribs, where the one below it is seen to have none."""
        for position in range(len(self.bears_ribs) - 1):
            if self.bears_ribs[position] is True and self.bears_ribs[position + 1] is False:
                return position
        return None


@dataclass(frozen=True)
class Names:
    """Levels by position, what they were counted from, and the doubts about them."""

    levels: tuple[Level | None, ...]
    source: LevelSource
    flags: tuple[QualityFlag, ...] = ()


def name_levels(landmarks: Landmarks, hints: LevelHints) -> Names:
    """Name vertebrae from the strongest source there is, and compare it with the landmarks.

    Names given by hand come first, then a label file, then the user's uppermost level, then ribs and sacrum.
    Where a label file or the user contradicts ribs or sacrum, their names stand with the flag
    ``level-conflict``; where ribs and sacrum contradict each other, nothing is named.
    """
    count = len(landmarks.whole)
    if any(landmarks.by_hand):
        return _checked(_from_hand(landmarks.by_hand), landmarks)
    if any(landmarks.given):
        return _checked(Names(landmarks.given, landmarks.given_source), landmarks)
    if hints.top_level is not None and True in landmarks.whole:
        top = landmarks.whole.index(True)
        levels = counted_from(top, hints.top_level, count)
        if levels is None:
            return _conflict(count, f"{count} vertebrae in view cannot be counted from {hints.top_level}.")
        return _checked(Names(levels, LevelSource.USER), landmarks)
    return _from_anatomy(landmarks)


def counted_from(position: int, level: Level, count: int) -> tuple[Level | None, ...] | None:
    """Return the names of `count` vertebrae when the one at `position` is `level`; None if they do not fit.

    Above and below a T13 or L6 the count goes on with T12, L1, L5 and S1.
    """
    order = list(REGULAR)
    if level not in order:
        order.insert(order.index(Level.L1 if level is Level.T13 else Level.S1), level)
    first = order.index(level) - position
    if first < 0 or first + count > len(order):
        return None
    return tuple(order[first : first + count])


def _from_hand(given: tuple[Level | None, ...]) -> Names:
    """Return the names given by hand, and those counted from them where they agree with each other."""
    anchors = [(position, level) for position, level in enumerate(given) if level is not None]
    levels = counted_from(*anchors[0], len(given))
    if levels is not None and all(levels[position] is level for position, level in anchors):
        return Names(levels, LevelSource.USER)
    named = ", ".join(level.value for _, level in anchors)
    says = (
        f"The vertebrae in view cannot be counted from the levels given by hand ({named}); only these stand."
    )
    return Names(given, LevelSource.USER, (raise_flag(Flag.LEVEL_CONFLICT, says),))


def _from_anatomy(landmarks: Landmarks) -> Names:
    count = len(landmarks.whole)
    ribs, sacrum = landmarks.last_with_ribs, landmarks.last_above_sacrum
    if ribs is None and sacrum is None:
        return Names((None,) * count, LevelSource.UNKNOWN, (raise_flag(Flag.LEVEL_UNKNOWN),))
    if ribs is not None and sacrum is not None:
        if sacrum - ribs != LUMBAR_COUNT:
            says = (
                f"{sacrum - ribs} vertebrae lie between the last ribs and the sacrum where "
                f"{LUMBAR_COUNT} were expected; levels are not named."
            )
            return _conflict(count, says)
        levels = counted_from(sacrum, Level.L5, count)
        return Names(levels or (None,) * count, LevelSource.SACRUM)
    if ribs is not None:
        # What rests on L5 is the sacrum, unless it is a sixth lumbar vertebra: below L5 nothing is named.
        named = min(count, ribs + LUMBAR_COUNT + 1)
        levels = counted_from(ribs, Level.T12, named)
        levels = None if levels is None else (*levels, *[None] * (count - named))
        source, landmark = LevelSource.RIBS, "the last ribs (T12)"
    else:
        levels = counted_from(sacrum or 0, Level.L5, count)
        source, landmark = LevelSource.SACRUM, "the sacrum (L5 above it)"
    if levels is None:
        return _conflict(count, f"{count} vertebrae in view cannot be counted from {landmark}.")
    if ribs is None and _ribs_contradict(levels, landmarks.bears_ribs):
        says = "Counted from the sacrum, ribs end where four or six lumbar vertebrae would have them end."
        return _conflict(count, f"{says} Levels are not named.")
    says = f"Levels are counted from {landmark} only; an extra or missing vertebra would shift them."
    return Names(levels, source, (raise_flag(Flag.LEVEL_ONE_LANDMARK, says),))


def _ribs_contradict(levels: Sequence[Level | None], bears_ribs: Sequence[bool | None]) -> bool:
    """Tell whether a lumbar vertebra bears ribs, or a thoracic one has none."""
    return any(
        level is not None and ribs is not None and ribs is not level.is_thoracic
        for level, ribs in zip(levels, bears_ribs, strict=True)
    )


def _conflict(count: int, says: str) -> Names:
    return Names((None,) * count, LevelSource.UNKNOWN, (raise_flag(Flag.LEVEL_CONFLICT, says),))


def _checked(names: Names, landmarks: Landmarks) -> Names:
    """Add `level-conflict` where given names contradict ribs or sacrum."""
    faults = []
    ribs, sacrum = landmarks.last_with_ribs, landmarks.last_above_sacrum
    at_ribs = None if ribs is None else names.levels[ribs]
    if at_ribs is not None and at_ribs not in {Level.T11, Level.T12, Level.T13}:
        faults.append(f"the last ribs spring from the vertebra named {at_ribs}")
    at_sacrum = None if sacrum is None else names.levels[sacrum]
    if at_sacrum is not None and at_sacrum not in {Level.L4, Level.L5, Level.L6}:
        faults.append(f"the vertebra named {at_sacrum} rests on the sacrum")
    both = zip(names.levels, landmarks.given, strict=True)
    if any(name is not given for name, given in both if name and given):
        faults.append("the label file names them otherwise")
    ranks = [level.rank for level in names.levels if level is not None]
    if ranks != sorted(set(ranks)):
        faults.append("the names do not run from top to bottom")
    if not faults:
        return names
    says = f"The levels given contradict the anatomy: {'; '.join(faults)}."
    return replace(names, flags=(*names.flags, raise_flag(Flag.LEVEL_CONFLICT, says)))


def number_of(level: Level | None, position: int) -> int:
    """Return the number of a vertebra in the label maps that are written."""
    return level.verse_number if level else FIRST_UNNAMED_LABEL + position


def renumber(spine: Spine, names: Names) -> Spine:
    """Return the spine under other names: levels, numbers and the flags that concern them."""
    concerned = {
        Flag.LEVEL_UNKNOWN,
        Flag.LEVEL_ONE_LANDMARK,
        Flag.LEVEL_CONFLICT,
        Flag.TREATED_COUNT_CONTRADICTS_LEVELS,
    }
    vertebrae = tuple(
        _renamed(vertebra, level, names, concerned)
        for vertebra, level in zip(spine.vertebrae, names.levels, strict=True)
    )
    kept = tuple(flag for flag in spine.flags if flag.flag not in concerned)
    return replace(spine, vertebrae=vertebrae, flags=(*kept, *names.flags))


def _renamed(vertebra: Vertebra, level: Level | None, names: Names, concerned: set[Flag]) -> Vertebra:
    kept = tuple(flag for flag in vertebra.flags if flag.flag not in concerned)
    own = names.flags
    if level is None and not own:
        own = (raise_flag(Flag.LEVEL_UNKNOWN),)
    return replace(
        vertebra,
        level=level,
        level_source=names.source if level else LevelSource.UNKNOWN,
        number=number_of(level, vertebra.position),
        flags=(*kept, *own),
    )


def name_treated(spine: Spine, treated_positions: Sequence[int], levels: Sequence[Level]) -> Spine:
    """Name a spine by its treated vertebrae, as the user names them.

    Parameters
    ----------
    spine
        The spine as it is named so far.
    treated_positions
        Positions of the vertebrae that were found treated.
    levels
        Treated levels given by the user, in any order; none changes nothing.

    Returns
    -------
    Spine
        With the user's names where they fit; without names, and with a flag that says so, where another
        number of vertebrae was found treated or the distances between them differ. Names of a label file, or
        given by hand, stand, with a flag where the treated levels contradict them.
    """
    if not levels:
        return spine
    count = len(spine.vertebrae)
    positions, wanted = sorted(set(treated_positions)), sorted(set(levels), key=lambda level: level.rank)
    if len(positions) != len(wanted):
        says = f"{len(wanted)} treated levels were given, {len(positions)} treated vertebrae were found."
        flag = raise_flag(Flag.TREATED_COUNT_CONTRADICTS_LEVELS, says)
        return renumber(spine, Names((None,) * count, LevelSource.UNKNOWN, (flag,)))
    so_far = tuple(vertebra.level for vertebra in spine.vertebrae)
    from_file = any(v.level_source is LevelSource.LABEL_FILE for v in spine.vertebrae)
    by_hand = any(v.by_hand is not None and v.by_hand.level is not None for v in spine.vertebrae)
    if from_file or by_hand:
        return _with_contradiction(spine, so_far, positions, wanted)
    named = counted_from(positions[0], wanted[0], count)
    if named is None or [named[p] for p in positions] != wanted:
        given = ", ".join(level.value for level in wanted)
        says = f"The treated vertebrae found do not lie as far apart as the levels given ({given})."
        return renumber(spine, _conflict(count, says))
    flags: tuple[QualityFlag, ...] = ()
    if any(old is not None and old is not new for old, new in zip(so_far, named, strict=True)):
        says = "The levels given by the user differ from those counted from ribs or sacrum."
        flags = (raise_flag(Flag.LEVEL_CONFLICT, says),)
    return renumber(spine, Names(named, LevelSource.USER, flags))


def _with_contradiction(
    spine: Spine, so_far: tuple[Level | None, ...], positions: list[int], wanted: list[Level]
) -> Spine:
    if [so_far[p] for p in positions] == wanted:
        return spine
    says = "The treated levels given by the user differ from the levels of the label file or those by hand."
    flag = raise_flag(Flag.LEVEL_CONFLICT, says)
    vertebrae = tuple(replace(v, flags=(*v.flags, flag)) for v in spine.vertebrae)
    return replace(spine, vertebrae=vertebrae, flags=(*spine.flags, flag))
