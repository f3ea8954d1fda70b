"""The structured report: one measurement group a vertebra (TID 1500), preliminary and unverified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cementct.core.findings import CompartmentState, Leak, LeakType, StudyReport, VertebraReport
from cementct.io.quiet import quiet
from cementct.report.dicom import codes
from cementct.report.dicom.codes import PRIVATE_SCHEME, Concept
from cementct.report.dicom.equipment import (
    MANUFACTURER,
    coded,
    contributing_equipment,
    declare_private_scheme,
)
from cementct.report.dicom.identity import ResultIdentity, settle
from cementct.report.dicom.image_library import list_all_images
from cementct.report.dicom.seg import Segment, SegmentKind
from cementct.report.dicom.source import SourceImages

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from highdicom.sr import Comprehensive3DSR

MILLILITRE = Concept("mL", "UCUM", "milliliter")
MILLIMETRE = Concept("mm", "UCUM", "millimeter")
DEGREE = Concept("deg", "UCUM", "degree")
PERCENT = Concept("%", "UCUM", "Percent")
# Number of leaks and the like (UCUM's unity).
UNITY = Concept("1", "UCUM", "no units")


def _own(value: str, meaning: str) -> Concept:
    return Concept(value, PRIVATE_SCHEME, meaning)


# Scalars of a vertebra: field of the report, concept, unit and factor into that unit.
SCALARS: tuple[tuple[str, Concept, Concept, float], ...] = (
    ("body_volume_ml", _own("body-volume", "Volume of the vertebral body"), MILLILITRE, 1.0),
    ("cement_volume_ml", _own("cement-volume", "Volume of bone cement from this vertebra"), MILLILITRE, 1.0),
    ("cement_in_body_ml", _own("cement-in-body", "Volume of bone cement in the body"), MILLILITRE, 1.0),
    ("cement_in_pedicle_ml", _own("cement-in-pedicle", "Volume of bone cement in pedicles"), MILLILITRE, 1.0),
    ("cement_to_body_ratio", _own("cement-to-body", "Cement in body over body volume"), PERCENT, 100.0),
    ("lesion_volume_ml", _own("lesion-volume", "Volume of the lesion"), MILLILITRE, 1.0),
    ("filling_rate", _own("filling-rate", "Share of the lesion filled by cement"), PERCENT, 100.0),
    ("posterior_wall_distance_mm", _own("wall-distance", "Cement to posterior wall"), MILLIMETRE, 1.0),
    ("wedge_angle_deg", _own("wedge-angle", "Wedge angle of the vertebral body"), DEGREE, 1.0),
    ("height_loss", _own("height-loss", "Loss of height of the vertebral body"), PERCENT, 100.0),
    ("anatomy_confidence", _own("anatomy-confidence", "Confidence in the outline"), PERCENT, 100.0),
)
INTERVALS: tuple[tuple[str, Concept, Concept, float], ...] = (
    ("cement_volume_ml_ci90", _own("cement-volume-ci90", "90 % interval of cement volume"), MILLILITRE, 1.0),
    ("filling_rate_ci90", _own("filling-rate-ci90", "90 % interval of filling rate"), PERCENT, 100.0),
)
FORAMEN_DISTANCE = _own("foramen-distance", "Cement to neural foramina")
HEIGHTS = {
    "anterior": _own("height-anterior", "Anterior height of the vertebral body"),
    "middle": _own("height-middle", "Middle height of the vertebral body"),
    "posterior": _own("height-posterior", "Posterior height of the vertebral body"),
}
LOWER, UPPER = _own("lower-bound", "lower bound"), _own("upper-bound", "upper bound")
TREATED = _own("treated", "Bone cement of this treatment")
IDENTIFIED = _own("vertebrae-identified", "Vertebrae identified in the scan")
FILLING_CATEGORY = _own("filling-category", "Category of filling")
DESTRUCTION = _own("destruction", "Type of destruction")
COMPARTMENTS: dict[str, Concept] = {
    "epidural": _own("cement-epidural", "Cement in spinal canal, epidural"),
    "foraminal_left": _own("cement-foramen-left", "Cement in left neural foramina"),
    "foraminal_right": _own("cement-foramen-right", "Cement in right neural foramina"),
    "diskal_above": _own("cement-disc-above", "Cement in disc above"),
    "diskal_below": _own("cement-disc-below", "Cement in disc below"),
    "paravertebral": _own("cement-paravertebral", "Cement beside the vertebra"),
    "access_track": _own("cement-access-track", "Cement along the access track"),
}
LEAK_VOLUME = _own("leak-volume", "Volume of cement leakage")
LEAK_THICKNESS = _own("leak-thickness", "Thickness of epidural cement")
CANAL_SHARE = _own("canal-share", "Largest share of canal cross-section")
LEAK_SITES: dict[LeakType, Concept] = {
    LeakType.DISKAL: codes.INTERVERTEBRAL_DISC,
    LeakType.EPIDURAL: codes.SPINAL_CANAL,
    LeakType.PARAVERTEBRAL: codes.PARAVERTEBRAL_REGION,
    LeakType.FORAMINAL: codes.NEURAL_FORAMEN,
    LeakType.ACCESS_TRACK: codes.ACCESS_TRACK,
}


def build_report(
    report: StudyReport,
    source: SourceImages,
    identity: ResultIdentity,
    segmentation: tuple[Segmentation, tuple[Segment, ...]] | None,
) -> Comprehensive3DSR:
    """Return the structured report.

    Parameters
    ----------
    report
        What was found.
    source
        The images it speaks of.
    identity
        Of its UIDs.
    segmentation
        The segmentation that the groups refer to, with what its segments are; None where none is made.
    """
    import highdicom
    from pydicom.sr.codedict import codes as known

    sr = highdicom.sr
    refer = _Segments(source, *segmentation) if segmentation is not None else None
    groups = []
    for vertebra in report.vertebrae:
        groups.append(_vertebra_group(vertebra, report, identity, refer))
        for number, leak in enumerate(vertebra.leaks, start=1):
            groups.append(_leak_group(vertebra, leak, number, report, identity, refer))
    if not groups:
        groups.append(_empty_group(report, identity))
    device = sr.ObserverContext(
        observer_type=known.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=identity.uid("device"),
            name=report.software.name,
            manufacturer_name=MANUFACTURER,
            model_name=f"{report.software.name} {report.software.version}",
        ),
    )
    with quiet():
        content = sr.MeasurementReport(
            observation_context=sr.ObservationContext(observer_device_context=device),
            procedure_reported=known.LN.CTUnspecifiedBodyRegion,
            imaging_measurements=groups,
            title=known.DCM.ImagingMeasurementReport,
            referenced_images=[source.first],
        )
        list_all_images(content, source)
        evidence = list(source.datasets)
        if segmentation is not None:
            evidence.append(segmentation[0])
        made = sr.Comprehensive3DSR(
            evidence=evidence,
            content=content,
            series_instance_uid=identity.uid("sr", "series"),
            series_number=identity.first_series_number + 1,
            sop_instance_uid=identity.uid("sr", "instance"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            is_complete=True,
            is_final=False,
            is_verified=False,
            series_description="cementct report",
            contributing_equipment=[contributing_equipment(report.software)],
        )
    declare_private_scheme(made)
    settle(made, source.first, identity, "sr")
    return made


@dataclass(frozen=True)
class _Segments:
    """Finds the segment that a group speaks of."""

    source: SourceImages
    segmentation: Segmentation
    segments: tuple[Segment, ...]

    def of(
        self, kind: SegmentKind, *, vertebra: int | None = None, leak: LeakType | None = None
    ) -> int | None:
        """Return the number of a segment, None where there is none."""
        for number, segment in enumerate(self.segments, start=1):
            if segment.kind is kind and segment.vertebra == vertebra and segment.leak is leak:
                return number
        return None

    def reference(self, number: int | None) -> Any:
        """Return the content item that refers to a segment, by the series it was drawn on."""
        from highdicom.sr import ReferencedSegment, SourceSeriesForSegmentation

        if number is None:
            return None
        return ReferencedSegment(
            self.segmentation.SOPClassUID,
            self.segmentation.SOPInstanceUID,
            number,
            source_series=SourceSeriesForSegmentation(self.source.first.SeriesInstanceUID),
        )

    def further(self, numbers: list[int]) -> Iterator[Any]:
        """Yield content items for further segments of the same vertebra."""
        from highdicom.sr import ImageContentItem
        from pydicom.sr.codedict import codes as known

        for number in numbers:
            yield ImageContentItem(
                known.DCM.ReferencedSegment,
                self.segmentation.SOPClassUID,
                self.segmentation.SOPInstanceUID,
                referenced_segment_numbers=number,
                relationship_type="CONTAINS",
            )


def _vertebra_group(
    vertebra: VertebraReport, report: StudyReport, identity: ResultIdentity, refer: _Segments | None
) -> Any:
    """Return the group of one vertebra: all its scalars, and the states of its compartments."""
    own = None if refer is None else refer.of(SegmentKind.VERTEBRA, vertebra=vertebra.label)
    group = _new_group(
        (f"vertebra {vertebra.name}", identity.uid("segment", f"{vertebra.name} vertebra")),
        report,
        reference=None if refer is None else refer.reference(own),
        finding_type=coded(codes.VERTEBRA),
        finding_sites=_sites(codes.level_concept(vertebra.level)),
        measurements=list(_measurements(vertebra)),
        qualitative_evaluations=list(_evaluations(vertebra)),
    )
    if refer is not None:
        kinds = (SegmentKind.BODY, SegmentKind.CEMENT, SegmentKind.LESION)
        numbers = [refer.of(kind, vertebra=vertebra.label) for kind in kinds]
        group[0].ContentSequence.extend(refer.further([n for n in numbers if n is not None]))
    return group


def _empty_group(report: StudyReport, identity: ResultIdentity) -> Any:
    """Return the group of a scan in which no vertebra was identified: TID 1500 wants one at least."""
    return _new_group(
        ("vertebrae", identity.uid("segment", "vertebrae")),
        report,
        reference=None,
        finding_type=coded(codes.VERTEBRA),
        qualitative_evaluations=[_evaluation(IDENTIFIED, codes.ABSENT)],
    )


def _leak_group(
    vertebra: VertebraReport,
    leak: Leak,
    number: int,
    report: StudyReport,
    identity: ResultIdentity,
    refer: _Segments | None,
) -> Any:
    """Return the group of one leak: its volume, where it lies and how sure it is."""
    name = f"{vertebra.name} leak {number} {leak.type.value}"
    segment = None if refer is None else refer.of(SegmentKind.LEAK, leak=leak.type)
    site = LEAK_SITES[leak.type]
    if leak.type is LeakType.DISKAL and leak.between:
        named = {level.value: disc for level, disc in codes.DISCS_BELOW.items()}
        site = named.get(str(leak.between[0]), site)
    sides: Mapping[str, Any] = {"laterality": coded(codes.SIDES[leak.side])} if leak.side else {}
    values = [(LEAK_VOLUME, leak.volume_ml, MILLILITRE)]
    if leak.thickness_mm is not None:
        values.append((LEAK_THICKNESS, leak.thickness_mm, MILLIMETRE))
    if leak.canal_area_share is not None:
        values.append((CANAL_SHARE, 100.0 * leak.canal_area_share, PERCENT))
    state = codes.PRESENT if leak.certainty.value == "definite" else codes.STATES[CompartmentState.POSSIBLE]
    return _new_group(
        (name, identity.uid("leak", name)),
        report,
        reference=None if refer is None else refer.reference(segment),
        finding_type=coded(codes.LEAKS[leak.type]),
        finding_sites=_sites(site, **sides),
        measurements=[_measurement(concept, value, unit) for concept, value, unit in values],
        qualitative_evaluations=[_evaluation(codes.LEAK, state)],
    )


def _new_group(tracking: tuple[str, str], report: StudyReport, *, reference: Any, **content: Any) -> Any:
    """Return a group that refers to a segment, or, without one, a group of measurements alone."""
    from highdicom import sr

    shared = {
        "tracking_identifier": sr.TrackingIdentifier(uid=tracking[1], identifier=tracking[0]),
        "algorithm_id": sr.AlgorithmIdentification(
            name=report.software.name,
            version=report.software.version,
            parameters=[f"configuration {report.software.config_sha256}"],
        ),
        **content,
    }
    if reference is None:
        return sr.MeasurementsAndQualitativeEvaluations(**shared)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=reference, **shared)


def _measurements(vertebra: VertebraReport) -> Iterator[Any]:
    for field, concept, unit, factor in SCALARS:
        value = getattr(vertebra, field)
        if value is not None:
            yield _measurement(concept, value * factor, unit)
    for field, concept, unit, factor in INTERVALS:
        interval = getattr(vertebra, field)
        if interval is not None:
            for bound, value in zip((LOWER, UPPER), interval, strict=True):
                yield _measurement(concept, value * factor, unit, derivation=bound)
    yield from _foramen_distances(vertebra)
    if vertebra.heights_mm is not None:
        for place, concept in HEIGHTS.items():
            value = getattr(vertebra.heights_mm, place)
            if value is not None:
                yield _measurement(concept, value, MILLIMETRE)


def _foramen_distances(vertebra: VertebraReport) -> Iterator[Any]:
    if vertebra.foramen_distance_mm is None:
        return
    for side, concept in (("left", codes.LEFT), ("right", codes.RIGHT)):
        value = getattr(vertebra.foramen_distance_mm, side)
        if value is not None:
            site = _sites(codes.NEURAL_FORAMEN, laterality=coded(concept))
            yield _measurement(FORAMEN_DISTANCE, value, MILLIMETRE, finding_sites=site)


def _measurement(
    concept: Concept, value: float, unit: Concept, *, derivation: Concept | None = None, **more: Any
) -> Any:
    from highdicom.sr import Measurement

    if derivation is not None:
        more["derivation"] = coded(derivation)
    return Measurement(coded(concept), round(float(value), 4), coded(unit), **more)


def _evaluations(vertebra: VertebraReport) -> Iterator[Any]:
    # Not treated is a statement on this treatment's cement alone.
    yield _evaluation(TREATED, codes.PRESENT if vertebra.treated else codes.ABSENT)
    if vertebra.compartments is not None:
        for name, concept in COMPARTMENTS.items():
            yield _evaluation(concept, codes.STATES[getattr(vertebra.compartments, name)])
    if vertebra.filling_category is not None:
        text = f"filling {vertebra.filling_category.value}"
        yield _evaluation(FILLING_CATEGORY, _own(_slug(text), text))
    if vertebra.destruction is not None:
        text = f"destruction {vertebra.destruction.value}"
        yield _evaluation(DESTRUCTION, _own(_slug(text), text))


def _slug(text: str) -> str:
    words = {"<": "under-", "~": "about-", "%": ""}
    return "".join(words.get(c, c) for c in text).replace(" ", "-")


def _evaluation(concept: Concept, value: Concept) -> Any:
    from highdicom.sr import QualitativeEvaluation

    return QualitativeEvaluation(coded(concept), coded(value))


def _sites(site: Concept, **more: Any) -> Any:
    from highdicom.sr import FindingSite

    return [FindingSite(coded(site), **more)]
