"""The cases that anybody may tune on, one of each family early."""

from __future__ import annotations

from benchmarks.anatomy.cases import Half, Recipe
from benchmarks.anatomy.from_masks import MaskRecipe
from benchmarks.anatomy.from_phantoms import PhantomRecipe
from benchmarks.anatomy.from_scans import ScanRecipe
from benchmarks.anatomy.settings import (
    BRIDGES,
    CRUSH,
    LIPS,
    LONG_FOV,
    LUMBAR_FOV,
    NODES,
    SINGLE_FOV,
    THIN_CORTEX_MM,
    THIN_MARROW_HU,
    WEDGE,
    scanner,
)
from benchmarks.anatomy.treat import Wish
from cementct.core.findings import LeakType
from cementct.core.levels import Level
from cementct.testing.spec import Kernel

H: Half = "tuning"
L, K = Level, LeakType


def tuning_recipes() -> list[Recipe]:
    """Return their recipes."""
    return [
        ScanRecipe("lumbar", H, "lumbar"),
        ScanRecipe("tptbox", H, "tptbox"),
        MaskRecipe("verse004-1mm", H, "verse004", L.L1, L.L5, 401, scanner(1.0), cut=False),
        PhantomRecipe("phantom-300", H, 300, L.L3, scanner(1.0), LUMBAR_FOV),
        ScanRecipe("lumbar-treated", H, "lumbar", 402, Wish(L.L3, K.EPIDURAL)),
        ScanRecipe("chest", H, "chest"),
        MaskRecipe(
            "verse004-treated-1mm",
            H,
            "verse004",
            L.T12,
            L.L4,
            403,
            scanner(1.0, 20),
            wish=Wish(L.L2, K.EPIDURAL, 0.55),
        ),
        PhantomRecipe(
            "phantom-306-treated",
            H,
            306,
            L.L2,
            scanner(1.25, 20),
            wish=Wish(L.L2, K.EPIDURAL, 0.5),
            compression=WEDGE,
            with_pre=True,
        ),
        MaskRecipe(
            "verse004-2.5mm-thin",
            H,
            "verse004",
            L.T9,
            L.L2,
            404,
            scanner(2.5, 40),
            turned_deg=(8, 0, 12),
            marrow_hu=THIN_MARROW_HU,
            cortex_mm=THIN_CORTEX_MM,
        ),
        ScanRecipe("chest-treated", H, "chest", 405, Wish(L.T9, K.DISKAL, 0.5, 0.6, 3500)),
        PhantomRecipe("phantom-301", H, 301, L.T8, scanner(1.5, 25), scoliosis_deg=8.0),
        MaskRecipe("gl003-1.25mm", H, "gl003", L.C7, L.T5, 406, scanner(1.25, 20, 0.5)),
        PhantomRecipe("phantom-302", H, 302, L.L4, scanner(2.5, 25), LUMBAR_FOV, (12.0, 6.0, 10.0)),
        MaskRecipe(
            "verse004-treated-2.5mm",
            H,
            "verse004",
            L.T9,
            L.L1,
            407,
            scanner(2.5, 20),
            wish=Wish(L.T11, K.DISKAL, 0.5, 0.6, 900),
        ),
        PhantomRecipe(
            "phantom-307-treated", H, 307, L.T9, scanner(2.5, 20), wish=Wish(L.T9, K.DISKAL, 0.45, 0.7, 4000)
        ),
        ScanRecipe("chest-5mm", H, "chest", 408, merged=2, noise_hu=30.0),
        PhantomRecipe("phantom-303", H, 303, L.L1, scanner(3.0, 20, 0.9), LUMBAR_FOV, scoliosis_deg=12.0),
        MaskRecipe(
            "verse004-treated-3mm",
            H,
            "verse004",
            L.L1,
            L.L5,
            409,
            scanner(3.0, 25, 0.9),
            turned_deg=(-10, 5, 0),
            cut=False,
            wish=Wish(L.L4, K.EPIDURAL, 0.45, 0.5, 700),
        ),
        PhantomRecipe("phantom-305-single", H, 305, L.L1, scanner(1.0, 20), SINGLE_FOV),
        PhantomRecipe(
            "phantom-308-treated",
            H,
            308,
            L.L1,
            scanner(3.0, 20),
            wish=Wish(L.L1, K.EPIDURAL, 0.5),
            compression=CRUSH,
        ),
        ScanRecipe("chest-cropped", H, "chest", 410, within_mm=50.0),
        ScanRecipe("lumbar-thin-noise", H, "lumbar", 411, osteopenic=True, noise_hu=20.0),
        MaskRecipe("verse004-single", H, "verse004", L.L1, L.L5, 412, scanner(1.0, 30), slices=40),
        PhantomRecipe(
            "phantom-309-thin-low-dose",
            H,
            309,
            L.T11,
            scanner(0.75, 60, kernel=Kernel.SHARP),
            (130.0, 120.0, 120.0),
            marrow_hu=65.0,
            cortex_mm=0.3,
        ),
        PhantomRecipe("phantom-304", H, 304, L.L3, scanner(5.0, 15, 0.8), LUMBAR_FOV),
        MaskRecipe("gl003-2.5mm", H, "gl003", L.T1, L.T5, 413, scanner(2.5, 15, 0.6), turned_deg=(15, 0, 8)),
        ScanRecipe("chest-tilted", H, "chest", 414, turned_deg=(0.0, 0.0, 15.0), slices=60, middle=L.T9),
        PhantomRecipe(
            "phantom-310-single-treated",
            H,
            310,
            L.L2,
            scanner(1.0, 20),
            SINGLE_FOV,
            wish=Wish(L.L2, K.EPIDURAL, 0.4, 0.6),
        ),
        PhantomRecipe("phantom-311-long", H, 311, L.T11, scanner(1.5, 15, 0.9), LONG_FOV),
        PhantomRecipe(
            "phantom-312-worn",
            H,
            312,
            L.L2,
            scanner(1.5, 20),
            worn=((L.L1, NODES), (L.L2, BRIDGES), (L.L3, BRIDGES)),
        ),
        PhantomRecipe("phantom-313-six-lumbar", H, 313, L.L3, scanner(2.0, 20), LUMBAR_FOV, lumbar_count=6),
        PhantomRecipe(
            "phantom-314-worn",
            H,
            314,
            L.T10,
            scanner(2.5, 20),
            worn=((L.T9, BRIDGES), (L.T10, BRIDGES), (L.T11, LIPS)),
        ),
    ]
