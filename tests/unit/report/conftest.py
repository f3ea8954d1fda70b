"""A report that has something in every field, made by hand, and a column of blocks to draw pictures of."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from cementct.core.findings import (
    Certainty,
    Compartments,
    CompartmentState,
    Destruction,
    FillingCategory,
    ForamenDistance,
    Heights,
    IgnoredSeries,
    Leak,
    LeakType,
    LesionSource,
    LevelSource,
    RegistrationResult,
    RemoteDeposit,
    SeriesReport,
    Side,
    Software,
    StudyDescription,
    StudyReport,
    VertebraReport,
)
from cementct.core.flags import Flag, raise_flag
from cementct.core.image import Volume
from cementct.core.levels import Level
from cementct.metrics.leaks import LeakFindings, measure_leaks
from cementct.report.material import EarlierImages, ReportMaterial
from cementct.segmentation.model import Cement, Lesion, Registration
from cementct.testing.block_spine import BlockSpine, ball, block, build_block_spine, cord, join

PRESENT, POSSIBLE = CompartmentState.PRESENT, CompartmentState.POSSIBLE
NONE_SEEN, HIDDEN = CompartmentState.NONE_SEEN, CompartmentState.NOT_ASSESSABLE


def untreated(level: Level, height_mm: float) -> VertebraReport:
    return VertebraReport(
        level=level,
        label=level.verse_number,
        level_source=LevelSource.SACRUM,
        centroid_lps_mm=(0.0, 10.0, height_mm),
        complete=level is not Level.T11,
        treated=False,
        body_volume_ml=30.1,
        heights_mm=Heights(anterior=25.0, middle=24.5, posterior=26.5),
        wedge_angle_deg=2.0,
        compressed=False,
        height_loss=0.02,
        anatomy_confidence=0.9,
        quality=(raise_flag(Flag.NOT_ASSESSED),),
    )


def second_lumbar() -> VertebraReport:
    return VertebraReport(
        level=Level.L2,
        label=21,
        level_source=LevelSource.SACRUM,
        centroid_lps_mm=(1.234567, 10.0, -40.0),
        complete=True,
        treated=True,
        body_volume_ml=31.2,
        cement_volume_ml=5.4,
        cement_volume_ml_ci90=(5.1, 5.7),
        cement_in_body_ml=4.9,
        cement_in_pedicle_ml=0.07,
        cement_to_body_ratio=0.15705128,
        lesion_volume_ml=6.1,
        lesion_source=LesionSource.PRE,
        filling_rate=0.82,
        filling_rate_ci90=(0.78, 0.86),
        filling_category=FillingCategory.FROM_75,
        filling_category_probability={FillingCategory.FROM_75: 0.94, FillingCategory.FROM_50: 0.06},
        leaks=(
            Leak(
                type=LeakType.EPIDURAL,
                certainty=Certainty.DEFINITE,
                volume_ml=0.12,
                side=Side.LEFT,
                centroid_lps_mm=(6.0, 28.0, -43.0),
                thickness_mm=2.0,
                canal_area_share=0.06,
            ),
            Leak(
                type=LeakType.DISKAL,
                certainty=Certainty.DEFINITE,
                volume_ml=0.31,
                side=Side.MIDLINE,
                centroid_lps_mm=(0.0, 8.0, -58.0),
                between=("L2", "L3"),
            ),
        ),
        compartments=Compartments(
            epidural=PRESENT,
            foraminal_left=HIDDEN,
            foraminal_right=NONE_SEEN,
            diskal_above=NONE_SEEN,
            diskal_below=PRESENT,
            paravertebral=NONE_SEEN,
            access_track=NONE_SEEN,
        ),
        posterior_wall_distance_mm=0.0,
        foramen_distance_mm=ForamenDistance(left=8.0, right=11.5),
        cement_within_5mm=True,
        posterior_wall_involved=True,
        destruction=Destruction.OSTEOLYTIC,
        heights_mm=Heights(anterior=21.0, middle=22.4, posterior=26.8),
        wedge_angle_deg=9.1,
        compressed=True,
        height_loss=0.22,
        anatomy_confidence=0.93,
        registration=RegistrationResult(ok=True, residual_mm=0.3),
        quality=(
            raise_flag(
                Flag.FORAMEN_NOT_ASSESSABLE, "The left foramen at L2–L3 could not be assessed for streaks."
            ),
            raise_flag(Flag.HU_CLIPPED),
        ),
    )


def twelfth_thoracic() -> VertebraReport:
    return VertebraReport(
        level=Level.T12,
        label=19,
        level_source=LevelSource.RIBS,
        centroid_lps_mm=(0.0, 10.0, 40.0),
        complete=True,
        treated=True,
        body_volume_ml=24.0,
        cement_volume_ml=2.95,
        cement_volume_ml_ci90=(2.8, 3.1),
        cement_in_body_ml=2.6,
        cement_in_pedicle_ml=0.0,
        cement_to_body_ratio=0.108,
        lesion_volume_ml=3.0,
        lesion_source=LesionSource.POST,
        filling_rate=0.93,
        filling_rate_ci90=(0.84, 0.99),
        filling_category=FillingCategory.COMPLETE,
        filling_category_probability={FillingCategory.FROM_75: 0.3, FillingCategory.COMPLETE: 0.7},
        leaks=(
            Leak(
                type=LeakType.PARAVERTEBRAL,
                certainty=Certainty.DEFINITE,
                volume_ml=0.2,
                side=Side.RIGHT,
                centroid_lps_mm=(-22.0, 5.0, 40.0),
                vessel_like=True,
            ),
            Leak(
                type=LeakType.EPIDURAL,
                certainty=Certainty.POSSIBLE,
                volume_ml=0.004,
                side=Side.MIDLINE,
                centroid_lps_mm=(0.0, 28.0, 41.0),
            ),
        ),
        compartments=Compartments(
            epidural=POSSIBLE,
            foraminal_left=NONE_SEEN,
            foraminal_right=NONE_SEEN,
            diskal_above=NONE_SEEN,
            diskal_below=NONE_SEEN,
            paravertebral=PRESENT,
            access_track=HIDDEN,
        ),
        posterior_wall_distance_mm=3.14159,
        foramen_distance_mm=ForamenDistance(left=12.0, right=None),
        cement_within_5mm=True,
        destruction=None,
        heights_mm=Heights(anterior=24.0, middle=23.0, posterior=25.0),
        wedge_angle_deg=-0.04,
        compressed=False,
        height_loss=0.05,
        anatomy_confidence=0.9,
        quality=(raise_flag(Flag.FILLING_BIASED_HIGH), raise_flag(Flag.LEAK_POSSIBLE)),
    )


@pytest.fixture
def report() -> StudyReport:
    """Return a study in which T12 and L2 were treated."""
    return StudyReport(
        software=Software(name="cementct", version="0.1.0", config_sha256="ab" * 32),
        study=StudyDescription(
            post=SeriesReport(
                series_instance_uid="1.2.826.0.1.3680043.10.999.4",
                shape=(240, 256, 256),
                spacing_mm=(1.0, 0.703125, 0.703125),
                why="shows cement; latest; thin slices",
            ),
            pre=SeriesReport(
                series_instance_uid="1.2.826.0.1.3680043.10.999.2",
                shape=(240, 256, 256),
                spacing_mm=(1.0, 0.703125, 0.703125),
                why="latest earlier series without cement",
            ),
            ignored_series=(
                IgnoredSeries(
                    series_instance_uid="1.2.826.0.1.3680043.10.999.1", why="scout: a single slice"
                ),
            ),
            remote_deposits=(RemoteDeposit(volume_ml=0.05, centroid_lps_mm=(20.0, -60.0, 90.0)),),
        ),
        vertebrae=(
            untreated(Level.T11, 75.0),
            twelfth_thoracic(),
            untreated(Level.L1, 0.0),
            second_lumbar(),
            untreated(Level.L3, -76.0),
        ),
        quality=(raise_flag(Flag.REMOTE_DENSE_DEPOSIT),),
    )


@pytest.fixture(scope="session")
def _blocks() -> tuple[BlockSpine, Cement, Volume, LeakFindings]:
    column = build_block_spine((1.5, 0.8, 0.8))
    cement = column.cement_of(
        join(
            ball((-3.0, 2.0, -3.0), 9.0),
            cord([(0.0, 8.0, 2.0), (6.0, 18.5, 3.0), (7.0, 18.8, -9.0)], 2.4),
            block((-4.0, -4.0, -19.0), (4.0, 4.0, -8.0)),
        )
    )
    volume = column.volume_with(cement)
    return column, cement, volume, measure_leaks(cement, column.spine, volume)


@pytest.fixture
def material(_blocks: tuple[BlockSpine, Cement, Volume, LeakFindings]) -> ReportMaterial:
    """Return a column of blocks whose middle vertebra leaks into canal and disc, with its scan before."""
    column, cement, volume, found = _blocks
    number = column.middle.number
    lesion = Lesion(
        source=LesionSource.PRE,
        box=cement.box,
        fraction=cement.fraction,
        volume_ml=4.0,
        volume_sd_ml=0.2,
        destruction=Destruction.OSTEOLYTIC,
        posterior_wall_involved=False,
    )
    stayed = Registration(np.eye(3), np.zeros(3), ok=True, residual_mm=0.3)
    return ReportMaterial(
        post=volume,
        spine=column.spine,
        cement=cement,
        leak_box=cement.box,
        leak_numbers=found.labels,
        lesions={number: lesion},
        earlier=EarlierImages(volume, {number: stayed}),
        post_name="series 4 (…10.999.4)",
        pre_name="series 2 (…10.999.2)",
    )


@pytest.fixture
def block_report(
    report: StudyReport, _blocks: tuple[BlockSpine, Cement, Volume, LeakFindings]
) -> StudyReport:
    """Return the report that goes with the column of blocks."""
    column, _, _, found = _blocks
    vertebrae = []
    for vertebra in column.spine.vertebrae:
        x, y, z = vertebra.frame.centre_lps_mm
        entry = untreated(Level.L1, z)
        if vertebra.number == column.middle.number:
            entry = msgspec.structs.replace(
                second_lumbar(),
                leaks=found.leaks[vertebra.number],
                compartments=found.compartments[vertebra.number],
            )
        vertebrae.append(
            msgspec.structs.replace(
                entry, level=vertebra.level, label=vertebra.number, centroid_lps_mm=(x, y, z)
            )
        )
    return msgspec.structs.replace(report, vertebrae=tuple(vertebrae))
