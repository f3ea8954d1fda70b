"""Images sorted into stacks: phases told apart, copies dropped, gaps and contradictions named.

What is done with a series that is not even, and why:

- Images with the same pixels at the same place are copies; one is kept, which is exact.
- Several images at every place are phases; header values tell them apart, else the order of their times.
- Images that contradict each other at one place: refused, because either may be the wrong one.
- Missing slices: each stretch between the gaps becomes a stack of its own with the flag `missing-slices`.
  Nothing is interpolated over the gap. Which stretch is analysed is decided like between series, so the one
  with cement is; cement in another stretch raises `cement-in-other-series`.
- Uneven spacing throughout: refused.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cementct.core.findings import IgnoredSeries
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.io.header import ImageHeader
from cementct.io.privacy import PatientWords
from cementct.io.series import Series
from cementct.io.stack import MIN_IMAGES, Placed, Run, drift, place, runs, same_stack

# What may tell apart phases that one series holds at the same places, the most telling first.
_PHASE_MARKS: tuple[Callable[[ImageHeader], Hashable], ...] = (
    lambda image: image.acquisition_number,
    lambda image: image.temporal_position,
    lambda image: image.acquired,
    lambda image: image.content_time,
    lambda image: image.file.rpartition("/")[0],
)


class Refused(Exception):
    """A stack cannot become a volume; the message is the reason."""


@dataclass
class Grouping:
    """The stacks of a folder, and the images that belong to none.

    Attributes
    ----------
    root
        The folder that was searched.
    private
        The words that must not be repeated in names.
    series
        Stacks that make a volume.
    ignored
        What does not, and why.
    """

    root: Path
    private: PatientWords
    series: list[Series] = field(default_factory=list)
    ignored: list[IgnoredSeries] = field(default_factory=list)

    def add(self, images: Sequence[ImageHeader], broken: Sequence[str]) -> None:
        """Sort the images of one series into stacks.

        Parameters
        ----------
        images
            Of one SeriesInstanceUID and kernel.
        broken
            Files of the same series that could not be read; they leave gaps that positions may not show.
        """
        found: list[Series] = []
        for cluster in _clusters(images):
            try:
                for placed in self._phases(cluster):
                    found.extend(self._stacks(placed, broken))
            except Refused as refusal:
                self._ignore(cluster, str(refusal))
        if len(found) > 1:
            found = [_numbered(series, i) for i, series in enumerate(found, start=1)]
        self.series.extend(found)

    def _ignore(self, images: Sequence[ImageHeader], why: str) -> None:
        first = min(images, key=lambda image: image.file)
        uid = first.series.uid
        file = None if uid else self.private.redact(first.file)
        self.ignored.append(IgnoredSeries(series_instance_uid=uid, file=file, why=why))

    def _phases(self, cluster: list[ImageHeader]) -> list[Placed]:
        """Return stacks with one image at each place."""
        placed = place(cluster)
        if placed is None:
            raise Refused("The rows and columns of its images are not at right angles.")
        if len(placed.places()) < MIN_IMAGES:
            raise Refused(_too_few(len(placed.images)))
        if _is_regular(placed):
            return [placed]
        placed = self._without_copies(placed, same_uid_only=True)
        for mark in _PHASE_MARKS:
            parts = _parts(placed, mark)
            if parts is not None:
                return parts
        placed = self._without_copies(placed, same_uid_only=False)
        return _by_rank(placed)

    def _without_copies(self, placed: Placed, *, same_uid_only: bool) -> Placed:
        """Return the stack without images whose pixels are the same as those of another at the same place."""
        from cementct.io.pixels import same_pixels

        kept: list[int] = []
        for here in placed.places():
            own: list[int] = []
            for i in here:
                copies = (
                    same_pixels(self.root, placed.images[i], placed.images[j])
                    for j in own
                    if not same_uid_only or placed.images[i].sop_uid == placed.images[j].sop_uid
                )
                if not any(copies):
                    own.append(i)
            kept.extend(own)
        return placed.part(kept)

    def _stacks(self, placed: Placed, broken: Sequence[str]) -> list[Series]:
        """Return one series for each stretch of even spacing."""
        self._check_places(placed)
        slopes = drift(placed)
        if slopes is None:
            raise Refused(f"Its images jump sideways {_where_it_jumps(placed, self.private)}.")
        stretches = sorted(runs(placed.along_mm), key=lambda run: run.first)
        if not stretches:
            raise Refused(f"Its slices are unevenly spaced: {_gaps_in_words(placed, [], self.private)}.")
        covered = sum(run.count for run in stretches)
        flags: list[QualityFlag] = []
        if len(stretches) > 1 or covered < len(placed.images):
            flags.append(
                raise_flag(
                    Flag.MISSING_SLICES,
                    f"Slices are missing or unevenly spaced: "
                    f"{_gaps_in_words(placed, stretches, self.private)}; only an unbroken stretch is used.",
                )
            )
        if broken:
            names = ", ".join(self.private.redact(name) for name in broken[:3])
            more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
            flags.append(
                raise_flag(Flag.MISSING_SLICES, f"Files of the series could not be used: {names}{more}.")
            )
        found: list[Series] = []
        for run in stretches:
            images = placed.images[run.first : run.last + 1]
            found.append(
                Series(self.root, images, placed.axes, run.spacing_mm, slopes, 0, tuple(flags), self.private)
            )
        return found

    def _check_places(self, placed: Placed) -> None:
        for number, here in enumerate(placed.places(), start=1):
            if len(here) > 1:
                names = " and ".join(self.private.redact(placed.images[i].file) for i in here[:2])
                raise Refused(
                    f"Slice {number} is there {len(here)} times with different pixels ({names}), "
                    "and nothing in the header tells them apart."
                )


def _numbered(series: Series, number: int) -> Series:
    from dataclasses import replace

    return replace(series, part=number)


def _clusters(images: Sequence[ImageHeader]) -> list[list[ImageHeader]]:
    """Return images of the same matrix, orientation and spacing together."""
    clusters: list[list[ImageHeader]] = []
    for image in images:
        for cluster in clusters:
            if same_stack(image, cluster[0]):
                cluster.append(image)
                break
        else:
            clusters.append([image])
    return clusters


def _is_regular(placed: Placed) -> bool:
    """Tell whether a stack has one image at each place, evenly spaced, in one line."""
    if len(placed.places()) != len(placed.images) or drift(placed) is None:
        return False
    stretches = runs(placed.along_mm)
    return len(stretches) == 1 and stretches[0].count == len(placed.images)


def _parts(placed: Placed, mark: Callable[[ImageHeader], Hashable]) -> list[Placed] | None:
    """Return the stack split by a header value, where that gives regular stacks and few strays."""
    values: dict[Hashable, list[int]] = {}
    for i, image in enumerate(placed.images):
        values.setdefault(mark(image), []).append(i)
    if len(values) < 2:
        return None
    parts = [placed.part(index) for index in values.values() if len(index) >= MIN_IMAGES]
    held = sum(len(part.images) for part in parts)
    if len(parts) < 2 or held < len(placed.images) or not all(_is_regular(part) for part in parts):
        return None
    return parts


def _by_rank(placed: Placed) -> list[Placed]:
    """Return one stack for each phase where every place holds as many images, in order of time."""
    places = placed.places()
    counts = {len(here) for here in places}
    if counts == {1} or len(counts) > 1:
        return [placed]
    images = placed.images

    def moment(i: int) -> tuple[bool, float, int]:
        acquired = images[i].acquired or images[i].content_time
        return acquired is None, acquired.timestamp() if acquired else 0.0, images[i].instance_number or 0

    ordered = [sorted(here, key=moment) for here in places]
    if any(len({moment(i) for i in here}) < len(here) for here in ordered):
        return [placed]
    return [placed.part([here[k] for here in ordered]) for k in range(counts.pop())]


def _too_few(count: int) -> str:
    return "A single slice." if count == 1 else f"Only {count} images, too few for a volume."


def _gaps_in_words(placed: Placed, stretches: Iterable[Run], private: PatientWords) -> str:
    """Return where the first gaps are, by number of slice and file name."""
    along = placed.along_mm
    gaps = np.diff(along)
    inside = {i for run in stretches for i in range(run.first, run.last)}
    usual = float(np.median([gaps[i] for i in inside] if inside else gaps))
    sentences: list[str] = []
    for i in (i for i in range(len(gaps)) if i not in inside):
        files = [private.redact(placed.images[j].file) for j in (i, i + 1)]
        missing = round(float(gaps[i]) / usual) - 1
        even = abs(float(gaps[i]) - (missing + 1) * usual) <= 0.1 * usual
        what = f"{missing} missing" if missing > 0 and even else "uneven"
        sentences.append(
            f"{what} between slices {i + 1} and {i + 2} ({files[0]}, {files[1]}), "
            f"{float(gaps[i]):.2f} mm apart instead of {usual:.2f}"
        )
    if not sentences:
        return "the spacing changes within the series"
    more = f" and {len(sentences) - 3} more places" if len(sentences) > 3 else ""
    return "; ".join(sentences[:3]) + more


def _where_it_jumps(placed: Placed, private: PatientWords) -> str:
    sideways = np.linalg.norm(np.diff(placed.offset_mm[:, :2], axis=0), axis=1)
    worst = int(np.argmax(np.abs(sideways - np.median(sideways))))
    files = [private.redact(placed.images[j].file) for j in (worst, worst + 1)]
    return f"between slices {worst + 1} and {worst + 2} ({files[0]}, {files[1]})"
