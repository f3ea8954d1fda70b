"""The results of one study, written into its folder: label maps and the report in its forms."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from cementct.core.formats import ReportFormat
from cementct.core.threads import each
from cementct.io.labelmaps import write_label_map
from cementct.io.scan import Scan
from cementct.pipeline.study import LABEL_MAPS, Analysis, label_maps
from cementct.report.material import EarlierImages, ReportMaterial
from cementct.report.write import write_report

# How many of the last characters of a UID name a series on a picture; a whole UID would not fit.
UID_TAIL = 8


def label_map_files() -> tuple[str, ...]:
    """Return the names of the label map files."""
    return tuple(f"{name}.nii.gz" for name in LABEL_MAPS)


def write_study(
    analysis: Analysis,
    folder: Path,
    formats: Collection[ReportFormat],
    *,
    study: str,
    series_offset: int = 0,
) -> None:
    """Write everything about one study into a folder.

    Parameters
    ----------
    analysis
        What was found.
    folder
        An existing folder.
    formats
        Forms of the report; label maps are written whichever are asked for.
    study
        Name of the study on the page.
    series_offset
        Added to the series numbers of DICOM results.
    """
    each(
        lambda item: write_label_map(folder / f"{item[0]}.nii.gz", item[1], analysis.study.post),
        label_maps(analysis).items(),
    )
    drawn = {*formats} - {ReportFormat.JSON, ReportFormat.CSV}
    material = material_of(analysis) if drawn else None
    written = write_report(analysis.report, material, folder, formats, study=study)
    if material is not None and analysis.study.post.series is not None and drawn - {ReportFormat.HTML}:
        from cementct.report.dicom.write import write_dicom

        pdf = next((path.read_bytes() for path in written if path.suffix == ".pdf"), None)
        write_dicom(
            analysis.report,
            material,
            analysis.study.post,
            folder,
            formats,
            document=pdf,
            series_offset=series_offset,
        )


def material_of(analysis: Analysis) -> ReportMaterial:
    """Return what the pictures of a report are drawn from."""
    found, study = analysis.found, analysis.study
    earlier = None
    if found.before is not None:
        earlier = EarlierImages(found.before.volume, found.before.registrations)
    return ReportMaterial(
        post=study.post.volume,
        spine=found.spine,
        cement=found.cement,
        leak_box=found.cement.box,
        leak_numbers=analysis.measured.leaks.labels,
        lesions=found.lesions,
        earlier=earlier,
        post_name=_name_of(study.post),
        pre_name=_name_of(study.pre) if study.pre else None,
    )


def _name_of(scan: Scan) -> str | None:
    if scan.series is None:
        return scan.file
    number = f"series {scan.series.number}" if scan.series.number is not None else "series"
    tail = f" (…{scan.series.series_uid[-UID_TAIL:]})" if scan.series.series_uid else ""
    return number + tail
