"""The image library of the structured report (TID 1600): what images share is said once, in their group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cementct.report.dicom.source import SourceImages

if TYPE_CHECKING:
    from highdicom.sr import MeasurementReport

# Concepts of TID 1604 that differ from image to image: the position of its first pixel, by axis (DCM).
_OF_ONE_IMAGE = frozenset({"110901", "110902", "110903"})
_IMAGE_LIBRARY = "111028"


def list_all_images(content: MeasurementReport, source: SourceImages) -> None:
    """Complete the image library of a report that was built with the first image alone.

    highdicom describes every image by fourteen items of its own, which for a thin-sliced series takes longer
    than its analysis. TID 1600 allows what images share (TID 1602) to stand with their group instead.

    Parameters
    ----------
    content
        The report, changed in place.
    source
        The images, of one series.
    """
    from highdicom.sr import ContentSequence, ImageContentItem

    library = next(item for item in content[0].ContentSequence if _code(item) == _IMAGE_LIBRARY)
    group = library.ContentSequence[0]
    first = group.ContentSequence[0]
    shared = [item for item in first.ContentSequence if _code(item) not in _OF_ONE_IMAGE]
    concept = first.ConceptNameCodeSequence[0]
    images = [
        ImageContentItem(concept, i.SOPClassUID, i.SOPInstanceUID, relationship_type="CONTAINS")
        for i in source.datasets
    ]
    group.ContentSequence = ContentSequence([*shared, *images])


def _code(item: Any) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)
