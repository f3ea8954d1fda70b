"""Names for the array types used throughout, and the habit that values are read-only."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
LabelArray = NDArray[np.uint8] | NDArray[np.uint16]
HuArray = NDArray[np.int16] | NDArray[np.float32]

_Scalar = TypeVar("_Scalar", bound=np.generic)


def read_only(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return a view of `array` that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def as_floats(values: Any) -> FloatArray:
    """Return `values` as an array of 64-bit floats, without a copy where it already is one."""
    return np.asarray(values, dtype=np.float64)
