"""Which engine finds the vertebrae of a study: a label file, TotalSegmentator or the embedded one."""

from __future__ import annotations

from pathlib import Path

from cementct.anatomy.labels import SpineLabels
from cementct.core.image import Volume
from cementct.pipeline.masks import read_vertebra_labels
from cementct.pipeline.options import Engine, RunOptions
from cementct.pipeline.steps import FindVertebrae


def engine_for_post(options: RunOptions, file_of_study: Path | None) -> FindVertebrae:
    """Return what finds the vertebrae of the post-injection scan.

    An engine or a file named by the user comes before a label file that lies in the study's own folder.
    """
    file = options.vertebra_file or (file_of_study if options.engine is None else None)
    if file is None:
        return engine_for_pre(options)
    path = file

    def from_file(volume: Volume) -> SpineLabels:
        return read_vertebra_labels(path, volume.grid, scheme=options.label_scheme)

    return from_file


def engine_for_pre(options: RunOptions) -> FindVertebrae:
    """Return what finds the vertebrae of the pre-injection scan, which no label file covers."""
    if options.engine is Engine.TOTALSEGMENTATOR:
        from cementct.segmentation.vertebrae.totalsegmentator import segment_vertebrae as ask_totalsegmentator

        return ask_totalsegmentator
    from cementct.segmentation.vertebrae.embedded import segment_vertebrae

    return segment_vertebrae
