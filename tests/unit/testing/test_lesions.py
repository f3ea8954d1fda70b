"""What is true of a lesion follows from its volume and place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cementct.core.findings import Destruction
from cementct.core.levels import Level
from cementct.testing.judging import wall_is_involved
from cementct.testing.phantom import lesions_of
from cementct.testing.site import Site
from cementct.testing.spec import CaseSpec, LesionSpec, Treatment


def spec_with(lesion: LesionSpec) -> CaseSpec:
    return CaseSpec(seed=5, treatments=(Treatment(Level.L2, lesion, None, ()),))


def test_a_sclerotic_shell_makes_a_lesion_mixed() -> None:
    lesion = lesions_of(spec_with(LesionSpec(5.0, Destruction.MIXED)))[Level.L2]
    assert lesion.sclerotic_share == pytest.approx(0.41, abs=0.05)
    assert lesion.destruction is Destruction.MIXED


def test_a_shell_that_the_bone_cuts_off_leaves_a_lytic_lesion() -> None:
    lesion = lesions_of(spec_with(LesionSpec(25.5, Destruction.MIXED)))[Level.L2]
    assert lesion.sclerotic_share < 0.2
    assert lesion.destruction is Destruction.OSTEOLYTIC


def test_a_lesion_at_the_front_of_a_body_does_not_involve_its_posterior_wall(worn_site: Site) -> None:
    # The distance of bodies from real scans is signed, and as small at the front as at the back.
    site = replace(worn_site, behind_front_mm=worn_site.body_depth_mm)
    middle = worn_site.own_body & (np.abs(worn_site.at[2]) < 5)
    assert wall_is_involved(site, middle & (worn_site.at[1] > 5))
    assert not wall_is_involved(site, middle & (worn_site.at[1] < -5))
