"""Names of disc spaces: the two vertebrae a space lies between."""

from __future__ import annotations

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.levels import Level

# Levels that only some people have; a neighbour out of view is taken to be an ordinary one.
_RARE = (Level.T13, Level.L6)


def name_disc_space(place: int, spine: Spine) -> tuple[str | int, str | int] | None:
    """Return the levels, or label numbers where they have no name, of the vertebrae above and below a space.

    Parameters
    ----------
    place
        Position of the vertebra above, counted from 1; 0 for the space above the uppermost in view.
    spine
        The vertebrae in view.

    Returns
    -------
        None where a neighbour is neither in view nor known from the other's level.
    """
    vertebrae = spine.vertebrae
    above = vertebrae[place - 1] if 1 <= place <= len(vertebrae) else None
    below = vertebrae[place] if place < len(vertebrae) else None
    if above is not None and below is not None:
        return _name(above), _name(below)
    if above is not None and above.level is not None:
        following = _neighbour(above.level, step=1)
        return (above.level.value, following.value) if following else None
    if below is not None and below.level is not None:
        preceding = _neighbour(below.level, step=-1)
        return (preceding.value, below.level.value) if preceding else None
    return None


def _name(vertebra: Vertebra) -> str | int:
    return vertebra.level.value if vertebra.level else vertebra.number


def _neighbour(level: Level, *, step: int) -> Level | None:
    order = [known for known in Level if known not in _RARE or known is level]
    place = order.index(level) + step
    return order[place] if 0 <= place < len(order) else None
