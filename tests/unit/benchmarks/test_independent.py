"""Cases of others: their halves are apart, and their voxels hold what their numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.cases import Family
from benchmarks.accuracy.catalogue import recipes
from benchmarks.independent_spines.spines import independent_spine_recipes


def test_no_case_is_in_both_halves() -> None:
    halves = [
        {repr(r).replace(half, "") for r in recipes(half, (Family.INDEPENDENT,))}
        for half in ("tuning", "reporting")
    ]
    assert len(halves[0]) >= 20
    assert len(halves[1]) >= 30
    assert not halves[0] & halves[1]


def test_a_spines_label_maps_hold_its_cement_and_its_leaks() -> None:
    (recipe,) = (r for r in independent_spine_recipes("tuning") if r.name.endswith("40013"))
    case = recipe.make()
    assert case.family is Family.INDEPENDENT
    assert case.cement is not None
    assert case.leaks is not None
    assert case.vertebrae is not None
    voxel_ml = case.post.grid.voxel_ml
    for vertebra in case.truth.treated:
        drawn_ml = np.count_nonzero(case.cement.labels == vertebra.number) * voxel_ml
        assert drawn_ml == pytest.approx(vertebra.cement_volume_ml, rel=0.1)
        body = case.vertebrae.labels == vertebra.number
        assert np.count_nonzero(body) * voxel_ml > vertebra.body_volume_ml
    leaked_ml = sum(leak.volume_ml for v in case.truth.treated for leak in v.leaks)
    assert np.count_nonzero(case.leaks.labels) * voxel_ml == pytest.approx(leaked_ml, rel=0.2, abs=0.02)
    again = recipe.make()
    assert np.array_equal(case.post.hu, again.post.hu)
