"""What is left behind for a quicker start, and that numpy stays whole."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from cementct.core.quick_start import import_scipy
import numpy
before = (numpy.__all__, dir(numpy))
import_scipy()
assert "scipy.ndimage" in sys.modules
assert "numpy.f2py" not in sys.modules
assert (numpy.__all__, dir(numpy)) == before
assert numpy.testing.assert_array_equal
"""


def test_scipy_comes_without_numpys_tools_and_numpy_keeps_them() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
