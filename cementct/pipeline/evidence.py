"""Looking at series for cement, each one once, and only when the answer is needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from cementct.core.errors import StudyRefused
from cementct.core.image import Volume
from cementct.io.dicom import read_series
from cementct.io.scan import Scan
from cementct.io.series import Series

# Volumes kept in memory after they were looked at: the one chosen last, and the one looked at after it.
KEPT_VOLUMES = 2


class CementEvidence(Protocol):
    """What a glance at a volume says about cement in it."""

    @property
    def cement(self) -> bool:
        """Whether cement is seen."""

    @property
    def needle(self) -> bool:
        """Whether a needle or cannula is seen."""

    @property
    def volume_ml(self) -> float:
        """Roughly how much cement."""

    @property
    def z_range_mm(self) -> tuple[float, float] | None:
        """Lowest and highest LPS z of the cement, or None where there is none."""


ShowsCement = Callable[[Volume], CementEvidence]


class Evidence:
    """Remembers what was seen in which series.

    Parameters
    ----------
    shows_cement
        Looks at a volume.
    """

    def __init__(self, shows_cement: ShowsCement) -> None:
        self._shows_cement = shows_cement
        self._seen: dict[Series, CementEvidence] = {}
        self._scans: OrderedDict[Series, Scan] = OrderedDict()
        self.unreadable: dict[Series, str] = {}

    def read(self, series: Series) -> Scan:
        """Return the volume of a series.

        Raises
        ------
        StudyRefused
            Where it cannot be read.
        """
        scan = self._scans.pop(series, None) or read_series(series)
        self._scans[series] = scan
        while len(self._scans) > KEPT_VOLUMES:
            self._scans.popitem(last=False)
        return scan

    def of(self, series: Series) -> CementEvidence | None:
        """Return what is seen in a series; None, with the reason in `unreadable`, where it cannot be read."""
        if series in self.unreadable:
            return None
        if series not in self._seen:
            try:
                self._seen[series] = self._shows_cement(self.read(series).volume)
            except StudyRefused as refusal:
                self.unreadable[series] = str(refusal)
                return None
        return self._seen[series]

    def was_seen(self, series: Series) -> CementEvidence | None:
        """Return what was seen in a series, without looking at it now."""
        return self._seen.get(series)
