"""One study from its volumes to its report: the order of the steps, and no science of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import LabelArray
from cementct.core.findings import Software, StudyDescription, StudyReport
from cementct.core.flags import Flag, raise_flag
from cementct.core.image import Region
from cementct.core.threads import beside
from cementct.pipeline.assemble import describe_remote, describe_vertebrae
from cementct.pipeline.measuring import Measurements, measure_outside, measure_structures
from cementct.pipeline.progress import Stage
from cementct.pipeline.steps import Structures, Subject, Tell, find_lesions, find_structures
from cementct.pipeline.study_input import StudyInput
from cementct.report.rounding import rounded
from cementct.segmentation.model import Lesion

LABEL_MAPS = ("vertebrae", "bodies", "cement", "lesion", "leaks")


@dataclass(frozen=True)
class ReportOrigin:
    """What a report was made by and from.

    Attributes
    ----------
    software
        Name, version and configuration.
    input_sha256
        Fingerprint of the files of the study.
    """

    software: Software
    input_sha256: str | None


@dataclass(frozen=True)
class Analysis:
    """Everything that is known of one study.

    Attributes
    ----------
    report
        The report as data.
    study
        The volumes it speaks of.
    found
        What it was measured on.
    measured
        The measurements.
    """

    report: StudyReport
    study: StudyInput
    found: Structures
    measured: Measurements


def analyze_volumes(study: StudyInput, subject: Subject, origin: ReportOrigin, *, tell: Tell) -> Analysis:
    """Find, measure and describe everything in a study.

    Parameters
    ----------
    study
        The volumes and why they were chosen.
    subject
        The same volumes, with the engines and what the user says.
    origin
        What makes the report, and from which files.
    tell
        Called at the beginning of each stage.
    """
    found = find_structures(subject, tell=tell)

    def look_for_lesions() -> dict[int, Lesion]:
        lesions = find_lesions(subject, found)
        tell(Stage.LEAKS)
        return lesions

    tell(Stage.LESION)
    lesions, outside = beside(look_for_lesions, lambda: measure_outside(found, subject.post))
    tell(Stage.MEASURING)
    found = replace(found, lesions=lesions)
    measured = measure_structures(found, outside)
    remote = describe_remote(found)
    description = StudyDescription(
        post=study.post_report,
        pre=study.pre_report,
        ignored_series=study.ignored,
        remote_deposits=remote,
        input_sha256=origin.input_sha256,
    )
    flags = [*study.post.flags, *study.flags, *found.spine.flags, *found.cement.flags.get(0, ())]
    if subject.pre is None and not subject.levels and len(found.treated) > 1:
        flags.append(raise_flag(Flag.OLD_CEMENT_NOT_SEPARABLE))
    if remote and not any(flag.flag is Flag.REMOTE_DENSE_DEPOSIT for flag in flags):
        flags.append(raise_flag(Flag.REMOTE_DENSE_DEPOSIT))
    report = StudyReport(
        software=origin.software,
        study=description,
        vertebrae=describe_vertebrae(found, measured),
        quality=tuple(dict.fromkeys(flags)),
    )
    return Analysis(rounded(report), study, found, measured)


def label_maps(analysis: Analysis) -> dict[str, LabelArray]:
    """Return the five label maps in canonical order, by name.

    vertebrae, bodies, cement and lesion carry the number of the vertebra they belong to; leaks carry the
    number of their type.
    """
    shape = analysis.study.post.volume.grid.shape
    maps: dict[str, LabelArray] = {name: np.zeros(shape, dtype=np.uint8) for name in LABEL_MAPS}
    found = analysis.found
    for vertebra in found.spine.vertebrae:
        _paint(maps["vertebrae"], vertebra.whole, vertebra.number)
    # A body lies in its vertebra, also where it was carried over from the scan before injection.
    for vertebra in found.spine.vertebrae:
        _paint(maps["vertebrae"], vertebra.body, vertebra.number)
        _paint(maps["bodies"], vertebra.body, vertebra.number)
    box = found.cement.box.slices
    treated = np.isin(found.cement.owner, found.treated) & found.cement.region
    maps["cement"][box] = np.where(treated, found.cement.owner, 0)
    maps["leaks"][box] = analysis.measured.leaks.labels
    for number, lesion in found.lesions.items():
        _paint(maps["lesion"], Region(lesion.box, np.asarray(lesion.fraction >= 0.5)), number)
    return maps


def _paint(labels: LabelArray, region: Region, number: int) -> None:
    labels[region.box.slices][region.voxels] = number
