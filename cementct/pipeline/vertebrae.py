"""Which engine finds the vertebrae of a study: a label file, TotalSegmentator or the embedded one."""

from __future__ import annotations

from pathlib import Path

from cementct.anatomy.hints import NOTHING_GIVEN, GivenAnatomy
from cementct.anatomy.labels import SpineLabels
from cementct.core.image import Volume
from cementct.pipeline.masks import read_vertebra_labels
from cementct.pipeline.options import Engine, RunOptions
from cementct.pipeline.steps import FindVertebrae


def engine_for_post(
    options: RunOptions, file_of_study: Path | None, given: GivenAnatomy = NOTHING_GIVEN
) -> FindVertebrae:
    """Return what finds the vertebrae of the post-injection scan.

    An engine or a file named by the user comes before a label file that lies in the study's own folder. The
    embedded engine is told what is `given` by hand; what other engines find is corrected afterwards.
    """
    file = options.vertebra_file or (file_of_study if options.engine is None else None)
    if file is None and given and options.engine is not Engine.TOTALSEGMENTATOR:
        return _embedded_with(given)
    if file is None:
        return engine_for_pre(options)
    path = file

    def from_file(volume: Volume) -> SpineLabels:
        return read_vertebra_labels(path, volume.grid, scheme=options.label_scheme)

    return from_file


def _embedded_with(given: GivenAnatomy) -> FindVertebrae:
    from cementct.segmentation.vertebrae.embedded import segment_vertebrae

    def from_hints(volume: Volume) -> SpineLabels:
        return segment_vertebrae(volume, given)

    return from_hints


def engine_for_pre(options: RunOptions) -> FindVertebrae:
    """Return what finds the vertebrae of the pre-injection scan, which no label file covers."""
    if options.engine is Engine.TOTALSEGMENTATOR:
        from cementct.segmentation.vertebrae.totalsegmentator import segment_vertebrae as ask_totalsegmentator

        return ask_totalsegmentator
    from cementct.segmentation.vertebrae.embedded import segment_vertebrae

    return segment_vertebrae
