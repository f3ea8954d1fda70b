"""The steps of one study from its volumes to what is measured: vertebrae, cement and lesions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from cementct.anatomy.carried import CarriedVertebra
from cementct.anatomy.describe import describe_spine, draw_given_walls, replace_vertebrae
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import Spine, Vertebra
from cementct.anatomy.naming import LevelHints, name_treated
from cementct.core.image import LabelMap, Mask, Region, Volume
from cementct.core.levels import Level
from cementct.core.threads import beside, each
from cementct.pipeline.progress import Stage
from cementct.segmentation.before import EarlierScan
from cementct.segmentation.model import Cement, Lesion, Registration

FindVertebrae = Callable[[Volume], SpineLabels]
Tell = Callable[[Stage], None]


@dataclass(frozen=True)
class Subject:
    """The volumes of one study, and what the user says about them.

    Attributes
    ----------
    post, pre
        The scans after and, where there is one, before injection.
    find_vertebrae, find_vertebrae_before
        The engines for the two scans.
    carries_bodies
        Whether the outline of a treated body is better taken from the scan before; not where the user gave
        a label file.
    hints, levels
        What the user says about levels.
    drawn_lesion, drawn_cement
        Masks given by the user, on the grid of `post`.
    """

    post: Volume
    pre: Volume | None
    find_vertebrae: FindVertebrae
    find_vertebrae_before: FindVertebrae
    carries_bodies: bool = True
    hints: LevelHints = field(default_factory=LevelHints)
    drawn_lesion: Mask | None = None
    drawn_cement: LabelMap | None = None

    @property
    def levels(self) -> tuple[Level, ...]:
        """The treated levels, as the user names them."""
        return self.hints.treated_levels


@dataclass(frozen=True)
class Before:
    """The scan before injection, and how its vertebrae moved.

    Attributes
    ----------
    volume, spine
        The scan and its vertebrae.
    registrations
        By number of the post-injection vertebra.
    """

    volume: Volume
    spine: Spine
    registrations: Mapping[int, Registration]

    def renumbered(self, numbers: Mapping[int, int]) -> Before:
        """Return the same under new numbers of the post-injection vertebrae."""
        return replace(self, registrations={numbers.get(n, n): r for n, r in self.registrations.items()})

    def numbers_before(self, numbers: Collection[int]) -> frozenset[int]:
        """Return the numbers that vertebrae of the post-injection scan have in this one."""
        partners = (self.registrations[n].pre_number for n in numbers if n in self.registrations)
        return frozenset(n for n in partners if n is not None)


@dataclass(frozen=True)
class Structures:
    """All that was found in a study.

    Attributes
    ----------
    spine
        Vertebrae and compartments of the post-injection scan.
    cement
        Its cement, by vertebra.
    before
        The scan before injection, where one was used.
    lesions
        By number of the treated vertebra, once they were looked for.
    """

    spine: Spine
    cement: Cement
    before: Before | None
    lesions: Mapping[int, Lesion] = field(default_factory=dict)

    @property
    def treated(self) -> tuple[int, ...]:
        """Numbers of the vertebrae that cement of this treatment came from, from the top."""
        return treated_numbers(self.cement, self.spine)


def find_structures(subject: Subject, *, tell: Tell) -> Structures:
    """Return vertebrae and cement of a study; lesions are left to `find_lesions`.

    Parameters
    ----------
    subject
        The volumes and what the user says about them.
    tell
        Called at the beginning of each stage.
    """
    tell(Stage.ANATOMY)
    (labels, spine), spine_before = beside(lambda: _look(subject), lambda: _look_before(subject))
    before = None
    if subject.pre is not None and spine_before is not None and spine.vertebrae:
        tell(Stage.PRE_INJECTION)
        before = _registered(subject, (subject.pre, spine_before), spine)
    from cementct.segmentation.cement.freed import free_cement, free_solid
    from cementct.segmentation.cement.remote import find_remote_pieces

    tell(Stage.CEMENT)
    cement = _find_cement(subject, spine, _carried(subject, before, spine))
    if labels is not None and before is not None and subject.carries_bodies:
        carried = _as_before(subject.post, before, spine, cement)
        if carried:
            outlined = spine
            spine = free_solid(replace_vertebrae(subject.post, labels, spine, carried), subject.post)
            # Once more: a leak that an engine took for body looked like a body that was raised.
            earlier = _carried(subject, before, spine, outlined=outlined)
            cement = _find_cement(subject, spine, earlier)
    spine = free_cement(spine, cement, subject.post)
    cement = replace(cement, remote=find_remote_pieces(subject.post, cement))
    return Structures(*_named_by_user(subject, spine, cement, before))


def find_lesions(subject: Subject, found: Structures) -> dict[int, Lesion]:
    """Return the lesions of the treated vertebrae, by number.

    Parameters
    ----------
    subject
        The volumes and what the user says about them.
    found
        Vertebrae and cement.
    """
    from cementct.segmentation.lesion import MarrowOf, find_before, outlined_after, segment_lesion

    spine, before, treated = found.spine, found.before, found.treated
    affected = before.numbers_before(treated) if before is not None else frozenset()
    marrow = MarrowOf(subject.post)

    def lesion_of(vertebra: Vertebra) -> Lesion:
        earlier = None
        if before is not None:
            earlier = find_before(before.volume, before.spine, before.registrations.get(vertebra.number))
        if earlier is not None:
            earlier = replace(earlier, affected=affected)
        if earlier is not None and not subject.carries_bodies:
            earlier = outlined_after(earlier, vertebra, subject.post.grid)
        return segment_lesion(
            subject.post,
            spine,
            vertebra,
            cement=found.cement,
            before=earlier,
            drawn=subject.drawn_lesion,
            treated=treated,
            marrow=marrow,
        )

    having = [v for v in spine.vertebrae if v.number in treated]
    return dict(zip((v.number for v in having), each(lesion_of, having), strict=True))


def treated_numbers(cement: Cement, spine: Spine) -> tuple[int, ...]:
    """Return the numbers of the vertebrae that own cement, from the top."""
    owning = set(np.unique(cement.owner[cement.fraction > 0]).tolist())
    return tuple(v.number for v in spine.vertebrae if v.number in owning)


def _look(subject: Subject) -> tuple[SpineLabels | None, Spine]:
    """Return the spine, and its labels where something may yet be carried over from a scan before."""
    from cementct.segmentation.cement.freed import free_solid

    labels = draw_given_walls(subject.find_vertebrae(subject.post), subject.hints.by_hand)
    spine = free_solid(describe_spine(subject.post, labels, hints=subject.hints), subject.post)
    return (labels if subject.pre is not None else None), spine


def _look_before(subject: Subject) -> Spine | None:
    if subject.pre is None:
        return None
    return describe_spine(subject.pre, subject.find_vertebrae_before(subject.pre))


def _registered(subject: Subject, earlier: tuple[Volume, Spine], spine: Spine) -> Before:
    """Return the scan before injection with the way of each vertebra into the one after it."""
    from cementct.segmentation.registration import register_spines

    pre, pre_spine = earlier
    if not pre_spine.vertebrae:
        return Before(pre, pre_spine, {})
    return Before(pre, pre_spine, register_spines(pre, pre_spine, subject.post, spine))


def _carried(
    subject: Subject, before: Before | None, spine: Spine, *, outlined: Spine | None = None
) -> EarlierScan | None:
    if before is None:
        return None
    from cementct.segmentation.earlier import carry_earlier_scan

    return carry_earlier_scan(
        (before.volume, before.spine), before.registrations, subject.post, spine, outlined=outlined
    )


def _find_cement(subject: Subject, spine: Spine, earlier: EarlierScan | None) -> Cement:
    from cementct.segmentation.cement import segment_cement
    from cementct.segmentation.cement.drawn import cement_from_mask

    if subject.drawn_cement is not None:
        return cement_from_mask(subject.post, spine, subject.drawn_cement)
    return segment_cement(subject.post, spine, earlier=earlier)


def _as_before(post: Volume, before: Before, spine: Spine, cement: Cement) -> dict[int, CarriedVertebra]:
    """Return treated vertebrae and their neighbours as they stood before injection, by position."""
    from cementct.segmentation.registration.vertebrae_before import carry_vertebrae

    earlier = (before.volume.grid, before.spine)
    where = Region(cement.box, cement.region)
    treated = treated_numbers(cement, spine)
    return carry_vertebrae(earlier, before.registrations, post, spine, cement=where, treated=treated)


def _named_by_user(
    subject: Subject, spine: Spine, cement: Cement, before: Before | None
) -> tuple[Spine, Cement, Before | None]:
    """Return everything under the names that follow from the treated levels given by the user."""
    if not subject.levels:
        return spine, cement, before
    treated = set(treated_numbers(cement, spine))
    positions = [v.position for v in spine.vertebrae if v.number in treated]
    named = name_treated(spine, positions, subject.levels)
    numbers = {old.number: new.number for old, new in zip(spine.vertebrae, named.vertebrae, strict=True)}
    return named, renumbered_cement(cement, numbers), before.renumbered(numbers) if before else None


def renumbered_cement(cement: Cement, numbers: Mapping[int, int]) -> Cement:
    """Return the same cement under new numbers of the vertebrae."""
    if all(old == new for old, new in numbers.items()):
        return cement
    table = np.arange(
        int(max([cement.owner.max(initial=0), *numbers, *numbers.values()])) + 1, dtype=np.uint16
    )
    for old, new in numbers.items():
        table[old] = new
    return replace(
        cement,
        owner=table[cement.owner],
        properties=tuple(replace(d, owner=numbers.get(d.owner, d.owner)) for d in cement.properties),
        flags={numbers.get(n, n): flags for n, flags in cement.flags.items()},
    )
