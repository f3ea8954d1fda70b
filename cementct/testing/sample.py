"""The sample study: a small simulated patient with two treated vertebrae and different leaks, as DICOM."""

from __future__ import annotations

from pathlib import Path

from cementct.core.findings import Destruction, LeakType, Side
from cementct.core.levels import Level
from cementct.testing.dicom import PatientPosition, SeriesDetails, write_ct_series, write_scout
from cementct.testing.phantom import PhantomCase, make_case
from cementct.testing.spec import (
    CaseSpec,
    CementSpec,
    Compression,
    Kernel,
    LeakSpec,
    LesionSpec,
    Movement,
    Scanner,
    Treatment,
)

SAMPLE_SEED = 20220103
_PIXEL_MM = 0.8
_SLICE_MM = 1.25


def sample_spec() -> CaseSpec:
    """Return the sample's patient: T12 and L2 treated, the last ribs in view, a pre-injection scan."""
    after = Scanner(_PIXEL_MM, _SLICE_MM, _SLICE_MM, Kernel.STANDARD, noise_hu=14.0, clip_hu=3071)
    before = Scanner(_PIXEL_MM, _SLICE_MM, _SLICE_MM, Kernel.SOFT, noise_hu=12.0, clip_hu=3071)
    return CaseSpec(
        seed=SAMPLE_SEED,
        focus=Level.L1,
        fov_mm=(130.0, 140.8, 140.8),
        fov_centre_mm=(8.0, 18.0, 0.0),
        treatments=(
            Treatment(
                Level.T12,
                LesionSpec(3.6, Destruction.OSTEOLYTIC, (-0.15, -0.1, 0.0)),
                CementSpec(3.2, filling=0.64, opacity_hu=2700.0, fingers=0.7),
                (
                    LeakSpec(LeakType.PARAVERTEBRAL, 0.24, Side.RIGHT),
                    LeakSpec(LeakType.ACCESS_TRACK, 0.12, Side.LEFT),
                ),
            ),
            Treatment(
                Level.L2,
                LesionSpec(4.8, Destruction.OSTEOLYTIC, (0.15, 0.2, 0.05), breaks_wall=True),
                CementSpec(5.2, filling=0.83, opacity_hu=2300.0, fingers=0.6),
                (
                    LeakSpec(LeakType.EPIDURAL, 0.14, Side.LEFT, levels=0.8),
                    LeakSpec(LeakType.DISKAL, 0.31, Side.RIGHT, above=True),
                ),
            ),
        ),
        compressed=((Level.T12, Compression(0.26, 0.16, 0.02)),),
        scale=0.98,
        marrow_hu=140.0,
        scoliosis_deg=2.0,
        scanner=after,
        pre_scanner=before,
        movement=Movement(0.8, -0.5, (1.5, -1.0, 2.5), (2.0, -3.0, 1.5)),
    )


def make_sample() -> PhantomCase:
    """Return the sample's scans and truth."""
    return make_case(sample_spec())


def write_sample_study(folder: Path) -> Path:
    """Write the sample study and its truth, and return the path of the study's folder.

    Parameters
    ----------
    folder
        Gets ``study/`` (scout, pre- and post-injection series as DICOM) and ``truth.json``. About 13 MB.
    """
    case = make_sample()
    if case.pre is None:
        raise AssertionError("the sample has a pre-injection scan")
    study = folder / "study"
    write_scout(study / "scout", case.pre, SeriesDetails(1, "Scout", "091500"))
    before = SeriesDetails(2, "Spine before injection", "092000", "B30s", _SLICE_MM)
    write_ct_series(study / "before", case.pre, before)
    # After the injection the patient still lies prone, as during it.
    after = SeriesDetails(3, "Spine after injection", "104500", "B40s", _SLICE_MM, PatientPosition.HFP)
    write_ct_series(study / "after", case.post, after)
    case.truth.write(folder / "truth.json")
    return study
