"""A glance at real volumes without cement: none is seen, whatever else is dense in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cementct.io.files import read_volume
from cementct.segmentation.presence import shows_cement


@pytest.mark.parametrize(
    "name",
    [
        "totalsegmentator_lumbar_3mm/ct.nii.gz",
        "ibsi_sts/STS_037_ct.nii.gz",
        "ibsi_sts/STS_018_ct.nii.gz",
        "ibsi_sts/STS_002_ct.nii.gz",
        "tptbox_l3/sub-ct_label-22_ct.nii.gz",
    ],
)
def test_real_bone_prosthesis_and_contrast_are_no_cement(real_data: Path, name: str) -> None:
    evidence = shows_cement(read_volume(real_data / name).volume)
    assert not evidence.cement
    assert not evidence.needle
    assert evidence.z_range_mm is None
