"""Endplates of weak bodies are rebuilt from what is left of them and from the other side of the disc."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from cementct.core.arrays import FloatArray
from cementct.segmentation.vertebrae.embedded.disc_plates import DiscSamples, find_plates
from cementct.segmentation.vertebrae.embedded.plates import UsualHeights, _rebuilt
from tests.unit.segmentation.embedded.test_disc_plates import middle, samples

USUAL_MM = 2.0


def heights(*, weak_above: bool, weak_below: bool) -> UsualHeights:
    """Return two bodies, of which a sound one usually ends `USUAL_MM` from the middle of the disc."""
    uncut = SimpleNamespace(cut_above=False, cut_below=False)

    def missing_mm(number: int, disc: DiscSamples, surface: FloatArray) -> FloatArray:
        del disc
        return surface - USUAL_MM if number == 0 else -USUAL_MM - surface

    bodies = [SimpleNamespace(weak=weak, placed=uncut) for weak in (weak_above, weak_below)]
    return cast("UsualHeights", SimpleNamespace(walls=bodies, missing_mm=missing_mm))


def test_the_cortex_of_the_bone_above_is_no_endplate_of_the_one_below() -> None:
    """Cement fills the disc and hides both endplates; the sound bone's cortex drops into its own marrow."""
    sound = find_plates(samples([(2.5, 0.9)], [(-2.5, 0.9)]))
    filled = find_plates(samples([(5.5, 0.15)], [(2.2, 0.9)]))
    assert middle(filled.lower_mm) > 1.0
    rebuilt = _rebuilt([sound, filled, sound], 1, heights(weak_above=False, weak_below=True))
    assert middle(rebuilt.lower_mm) == pytest.approx(-2.5, abs=1.0)


def test_the_cortex_of_the_bone_below_is_no_endplate_of_the_one_above() -> None:
    sound = find_plates(samples([(2.5, 0.9)], [(-2.5, 0.9)]))
    filled = find_plates(samples([(-2.2, 0.9)], [(-5.5, 0.15)]))
    assert middle(filled.upper_mm) < -1.0
    rebuilt = _rebuilt([sound, filled, sound], 1, heights(weak_above=True, weak_below=False))
    assert middle(rebuilt.upper_mm) == pytest.approx(2.5, abs=1.0)


def test_a_weak_body_keeps_an_endplate_that_it_shows() -> None:
    sound = find_plates(samples([(2.5, 0.9)], [(-2.5, 0.9)]))
    collapsed = find_plates(samples([(2.0, 0.9)], [(-5.0, 0.9)]))
    rebuilt = _rebuilt([sound, collapsed, sound], 1, heights(weak_above=False, weak_below=True))
    assert middle(rebuilt.lower_mm) == pytest.approx(-5.0, abs=0.6)
    assert np.all(rebuilt.upper_mm > rebuilt.lower_mm)
