"""Heights are looked up between the samples of a surface."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cementct.anatomy.fields import CHUNK, interpolated


def test_many_places_are_looked_up_chunk_by_chunk_as_if_one_by_one() -> None:
    random = np.random.default_rng(5)
    table = random.random((30, 40))
    rows, columns = random.uniform(-5.0, 45.0, (2, 3, CHUNK))
    together = interpolated(table, rows, columns)
    some = np.s_[:, ::1001]
    assert np.array_equal(together[some], interpolated(table, rows[some], columns[some]))
    expected = ndimage.map_coordinates(table, [rows, columns], order=1, mode="nearest")
    assert np.allclose(together, expected, atol=1e-12)
