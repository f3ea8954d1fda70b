"""Measurements put together into one report entry per vertebra."""

from __future__ import annotations

from cementct.anatomy.model import Spine, Vertebra
from cementct.core.findings import (
    Destruction,
    LesionSource,
    LevelSource,
    Point,
    RegistrationResult,
    RemoteDeposit,
    VertebraReport,
)
from cementct.core.flags import Flag, QualityFlag, raise_flag
from cementct.metrics.filling import Filling
from cementct.pipeline.measuring import Measurements
from cementct.pipeline.steps import Structures
from cementct.segmentation.model import Lesion, Registration


def describe_vertebrae(found: Structures, measured: Measurements) -> tuple[VertebraReport, ...]:
    """Return the report entry of every vertebra in view, from top to bottom."""
    treated = set(found.treated)
    return tuple(
        _treated(vertebra, found, measured)
        if vertebra.number in treated
        else _untreated(vertebra, found, measured)
        for vertebra in found.spine.vertebrae
    )


def describe_remote(found: Structures) -> tuple[RemoteDeposit, ...]:
    """Return the cement-like deposits away from the spine, the largest first."""
    return tuple(
        RemoteDeposit(volume_ml=piece.volume_ml, centroid_lps_mm=_point(piece.centroid_lps_mm))
        for piece in found.cement.remote
    )


def _untreated(vertebra: Vertebra, found: Structures, measured: Measurements) -> VertebraReport:
    flags = [*vertebra.flags, *_cement_flags(found, vertebra)]
    if not any(flag.flag is Flag.NOT_ASSESSED for flag in flags):
        flags.append(raise_flag(Flag.NOT_ASSESSED))
    return _described(vertebra, found, measured, flags)


def _treated(vertebra: Vertebra, found: Structures, measured: Measurements) -> VertebraReport:
    import msgspec

    number = vertebra.number
    lesion = found.lesions.get(number)
    flags = [
        *vertebra.flags,
        *_cement_flags(found, vertebra),
        *measured.leaks.flags.get(number, ()),
        *(measured.distances[number].flags if number in measured.distances else ()),
        *(lesion.flags if lesion else ()),
    ]
    registration = found.before.registrations.get(number) if found.before else None
    if found.before is not None and (registration is None or not registration.ok):
        flags.append(raise_flag(Flag.REGISTRATION_FAILED))
    entry = _described(vertebra, found, measured, flags)
    volumes, distances = measured.volumes.get(number), measured.distances.get(number)
    entry = msgspec.structs.replace(
        entry,
        treated=True,
        leaks=measured.leaks.leaks.get(number, ()),
        compartments=measured.leaks.compartments.get(number),
    )
    if volumes is not None:
        entry = msgspec.structs.replace(
            entry,
            cement_volume_ml=volumes.volume_ml,
            cement_volume_ml_ci90=volumes.ci90_ml,
            cement_in_body_ml=volumes.in_body_ml,
            cement_in_pedicle_ml=volumes.in_pedicle_ml,
            cement_to_body_ratio=volumes.ratio,
        )
    if distances is not None:
        entry = msgspec.structs.replace(
            entry,
            posterior_wall_distance_mm=distances.posterior_wall_mm,
            foramen_distance_mm=distances.foramen_mm,
            cement_within_5mm=distances.within_5mm,
        )
    return _with_lesion(entry, lesion, measured.fillings.get(number))


def _with_lesion(entry: VertebraReport, lesion: Lesion | None, filling: Filling | None) -> VertebraReport:
    import msgspec

    if lesion is None:
        return entry
    exists = lesion.source is not LesionSource.NONE
    entry = msgspec.structs.replace(
        entry,
        lesion_source=lesion.source,
        lesion_volume_ml=lesion.volume_ml if exists else None,
        destruction=lesion.destruction if exists or lesion.destruction else Destruction.NONE,
        posterior_wall_involved=lesion.posterior_wall_involved,
    )
    if filling is None:
        return entry
    return msgspec.structs.replace(
        entry,
        filling_rate=filling.rate,
        filling_rate_ci90=filling.ci90,
        filling_category=filling.category,
        filling_category_probability=filling.probability,
    )


def _described(
    vertebra: Vertebra, found: Structures, measured: Measurements, flags: list[QualityFlag]
) -> VertebraReport:
    """Return what is known of any vertebra, treated or not."""
    registration = found.before.registrations.get(vertebra.number) if found.before else None
    heights = measured.heights.get(vertebra.number)
    return VertebraReport(
        level=vertebra.level,
        label=vertebra.number,
        level_source=vertebra.level_source if vertebra.level else LevelSource.UNKNOWN,
        centroid_lps_mm=_point(vertebra.centroid_lps_mm),
        complete=vertebra.complete,
        treated=False,
        body_volume_ml=_body_volume_ml(vertebra, found.spine) if vertebra.complete else None,
        heights_mm=heights.heights_mm if heights else None,
        wedge_angle_deg=heights.wedge_angle_deg if heights else None,
        compressed=heights.compressed if heights else None,
        height_loss=heights.height_loss if heights else None,
        anatomy_confidence=vertebra.confidence,
        registration=_registration(registration),
        quality=_unique([*flags, *(heights.flags if heights else ())]),
    )


def _registration(registration: Registration | None) -> RegistrationResult | None:
    if registration is None:
        return None
    return RegistrationResult(ok=registration.ok, residual_mm=registration.residual_mm)


def _body_volume_ml(vertebra: Vertebra, spine: Spine) -> float:
    return vertebra.body.count * spine.grid.voxel_ml


def _cement_flags(found: Structures, vertebra: Vertebra) -> tuple[QualityFlag, ...]:
    return found.cement.flags.get(vertebra.number, ())


def _unique(flags: list[QualityFlag]) -> tuple[QualityFlag, ...]:
    """Return the flags in their order, each sentence once."""
    return tuple(dict.fromkeys(flags))


def _point(lps_mm: object) -> Point:
    import numpy as np

    x, y, z = (round(float(v), 2) for v in np.asarray(lps_mm))
    return x, y, z
