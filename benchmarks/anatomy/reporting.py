"""The cases that nothing is tuned on."""

from __future__ import annotations

from benchmarks.anatomy.cases import Half, Recipe
from benchmarks.anatomy.from_masks import MaskRecipe
from benchmarks.anatomy.from_phantoms import PhantomRecipe
from benchmarks.anatomy.from_scans import ScanRecipe
from benchmarks.anatomy.settings import (
    BRIDGES,
    CROPPED_FOV,
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
from cementct.core.findings import Destruction, LeakType
from cementct.core.levels import Level
from cementct.testing.spec import Kernel

H: Half = "reporting"
L, K = Level, LeakType


def reporting_recipes() -> list[Recipe]:
    """Return their recipes."""
    return [*_scans(), *_masks(), *_phantoms()]


def _scans() -> list[Recipe]:
    return [
        ScanRecipe("chest-noise60", H, "chest", 9500, noise_hu=60.0),
        ScanRecipe("lumbar-noise30", H, "lumbar", 9501, noise_hu=30.0),
        ScanRecipe("chest-turned", H, "chest", 9502, turned_deg=(0.0, 6.0, -15.0), slices=70, middle=L.T8),
        ScanRecipe("lumbar-tilted", H, "lumbar", 9503, turned_deg=(20.0, 0.0, 0.0)),
        ScanRecipe("lumbar-turned", H, "lumbar", 9504, turned_deg=(0.0, 8.0, 15.0)),
        ScanRecipe("chest-thin", H, "chest", 9505, osteopenic=True, noise_hu=20.0),
        ScanRecipe("lumbar-cropped", H, "lumbar", 9506, within_mm=50.0, noise_hu=15.0),
        ScanRecipe("chest-40-slices", H, "chest", 9507, slices=40, middle=L.T11, within_mm=50.0),
        ScanRecipe("chest-5mm-noise", H, "chest", 9508, merged=2, noise_hu=45.0, within_mm=70.0),
        ScanRecipe("tptbox-noise40", H, "tptbox", 9509, noise_hu=40.0),
        ScanRecipe("tptbox-turned", H, "tptbox", 9510, turned_deg=(10.0, 0.0, 10.0)),
        ScanRecipe("tptbox-thin", H, "tptbox", 9511, osteopenic=True, noise_hu=20.0),
        ScanRecipe("chest-treated-T6", H, "chest", 9512, Wish(L.T6, K.EPIDURAL, 0.5, 0.6, 2800)),
        ScanRecipe("chest-treated-T11", H, "chest", 9513, Wish(L.T11, K.DISKAL, 0.55, 0.55, 1100)),
        ScanRecipe(
            "lumbar-treated-L2", H, "lumbar", 9514, Wish(L.L2, K.DISKAL, 0.5, 0.6, 3200), noise_hu=15.0
        ),
        ScanRecipe(
            "lumbar-treated-L4", H, "lumbar", 9515, Wish(L.L4, K.EPIDURAL, 0.6, 0.5, 2200), noise_hu=15.0
        ),
    ]


def _masks() -> list[Recipe]:
    v, t, g = "verse010", "healthivert", "gl017"
    soft, sharp = Kernel.SOFT, Kernel.SHARP
    return [
        MaskRecipe("verse010-0.75mm", H, v, L.L1, L.L5, 9600, scanner(0.75, 30, 0.65, sharp), cut=False),
        MaskRecipe(
            "verse010-2.5mm", H, v, L.L1, L.L5, 9601, scanner(2.5, 20), 110.0, 0.5, (14, 4, 6), cut=False
        ),
        MaskRecipe(
            "verse010-3mm-thin",
            H,
            v,
            L.L1,
            L.L5,
            9602,
            scanner(3.0, 25, 0.9),
            marrow_hu=THIN_MARROW_HU,
            cortex_mm=THIN_CORTEX_MM,
        ),
        MaskRecipe("verse010-single", H, v, L.L1, L.L3, 9603, scanner(1.25, 35), 130.0, 0.5, slices=40),
        MaskRecipe("verse010-5mm", H, v, L.L1, L.L5, 9604, scanner(5.0, 12, 0.75), 160.0, cut=False),
        MaskRecipe(
            "verse010-treated-L3", H, v, L.L1, L.L5, 9605, scanner(1.0, 20), wish=Wish(L.L3, K.EPIDURAL, 0.55)
        ),
        MaskRecipe(
            "verse010-treated-L2",
            H,
            v,
            L.L1,
            L.L4,
            9606,
            scanner(2.0, 25),
            100.0,
            0.45,
            cut=False,
            wish=Wish(L.L2, K.DISKAL, 0.5, 0.6, 800),
        ),
        MaskRecipe(
            "verse010-treated-L4",
            H,
            v,
            L.L2,
            L.L5,
            9607,
            scanner(3.0, 20, 0.9),
            180.0,
            0.7,
            (0, 10, 10),
            cut=False,
            wish=Wish(L.L4, K.EPIDURAL, 0.45, 0.6, 3600),
        ),
        MaskRecipe("healthivert-1mm", H, t, L.T10, L.L1, 9608, scanner(1.0, 18), 190.0, 0.7),
        MaskRecipe(
            "healthivert-1.5mm-noise60", H, t, L.T11, L.L3, 9609, scanner(1.5, 60), 150.0, 0.6, within_mm=50
        ),
        MaskRecipe(
            "healthivert-2.5mm-tilted", H, t, L.T10, L.L2, 9610, scanner(2.5, 20), 140.0, 0.6, (20, 0, 0)
        ),
        MaskRecipe(
            "healthivert-2mm-thin",
            H,
            t,
            L.L1,
            L.L5,
            9611,
            scanner(2.0, 30),
            marrow_hu=THIN_MARROW_HU,
            cortex_mm=THIN_CORTEX_MM,
        ),
        MaskRecipe("healthivert-3mm", H, t, L.T10, L.L4, 9612, scanner(3.0, 20, 0.9, soft), 170.0, cut=False),
        MaskRecipe(
            "healthivert-treated-T11",
            H,
            t,
            L.T10,
            L.L1,
            9613,
            scanner(1.25, 20),
            wish=Wish(L.T11, K.EPIDURAL, 0.5),
        ),
        MaskRecipe(
            "healthivert-treated-L1",
            H,
            t,
            L.T11,
            L.L3,
            9614,
            scanner(2.5, 20),
            wish=Wish(L.L1, K.DISKAL, 0.55, 0.55, 2600),
        ),
        MaskRecipe(
            "healthivert-treated-L3",
            H,
            t,
            L.L1,
            L.L5,
            9615,
            scanner(3.0, 20, 0.9),
            120.0,
            0.5,
            (-8, 0, -12),
            wish=Wish(L.L3, K.EPIDURAL, 0.5, 0.5, 1500, destruction=Destruction.MIXED),
        ),
        MaskRecipe("gl017-1mm", H, g, L.C7, L.T4, 9616, scanner(1.0, 20, 0.5), 180.0),
        MaskRecipe("gl017-2.5mm", H, g, L.C7, L.T4, 9617, scanner(2.5, 18, 0.6), 150.0, 0.6, (10, 0, 6)),
    ]


def _phantoms() -> list[Recipe]:
    soft, sharp = Kernel.SOFT, Kernel.SHARP
    return [
        PhantomRecipe("phantom-9000", H, 9000, L.L3, scanner(1.0, 20), LUMBAR_FOV),
        PhantomRecipe("phantom-9001", H, 9001, L.T7, scanner(0.75, 45, 0.65, sharp), (130.0, 125.0, 125.0)),
        PhantomRecipe("phantom-9002", H, 9002, L.L4, scanner(1.5, 30), LUMBAR_FOV, (10.0, -5.0, 12.0)),
        PhantomRecipe(
            "phantom-9003", H, 9003, L.L1, scanner(1.25, 60), CROPPED_FOV, marrow_hu=70, cortex_mm=0.35
        ),
        PhantomRecipe("phantom-9004", H, 9004, L.T10, scanner(2.5, 20), LONG_FOV, scoliosis_deg=10.0),
        PhantomRecipe(
            "phantom-9005", H, 9005, L.L3, scanner(2.0, 25, 0.65, soft), LUMBAR_FOV, lumbar_count=6
        ),
        PhantomRecipe("phantom-9006", H, 9006, L.L2, scanner(3.0, 25, 0.9), LUMBAR_FOV, (-15.0, 0.0, 8.0)),
        PhantomRecipe("phantom-9007", H, 9007, L.T6, scanner(3.0, 15, 0.8), marrow_hu=90.0, cortex_mm=0.4),
        PhantomRecipe("phantom-9008", H, 9008, L.L4, scanner(5.0, 12, 0.8), LUMBAR_FOV),
        PhantomRecipe("phantom-9009", H, 9009, L.T12, scanner(5.0, 20, 0.8), LUMBAR_FOV),
        PhantomRecipe("phantom-9010-single", H, 9010, L.T12, scanner(1.0, 25), SINGLE_FOV),
        PhantomRecipe("phantom-9011-single", H, 9011, L.L3, scanner(1.25, 35), (50.0, 100.0, 100.0)),
        PhantomRecipe(
            "phantom-9012", H, 9012, L.L3, scanner(2.5, 40), LUMBAR_FOV, lumbar_count=4, marrow_hu=80
        ),
        PhantomRecipe(
            "phantom-9020-treated",
            H,
            9020,
            L.L3,
            scanner(1.0, 20),
            wish=Wish(L.L3, K.EPIDURAL, 0.5),
            with_pre=True,
        ),
        PhantomRecipe(
            "phantom-9021-treated",
            H,
            9021,
            L.T8,
            scanner(1.25, 20),
            wish=Wish(L.T8, K.DISKAL, 0.5, 0.7, 1000),
            compression=WEDGE,
        ),
        PhantomRecipe(
            "phantom-9022-treated",
            H,
            9022,
            L.L1,
            scanner(1.5, 30, kernel=sharp),
            wish=Wish(L.L1, K.DISKAL, 0.6),
            compression=CRUSH,
        ),
        PhantomRecipe(
            "phantom-9023-treated",
            H,
            9023,
            L.T12,
            scanner(2.5, 20),
            wish=Wish(L.T12, K.EPIDURAL, 0.45, 0.6, 3500),
        ),
        PhantomRecipe(
            "phantom-9024-treated",
            H,
            9024,
            L.L4,
            scanner(2.0, 20),
            LUMBAR_FOV,
            wish=Wish(L.L4, K.DISKAL, 0.5),
            compression=WEDGE,
        ),
        PhantomRecipe(
            "phantom-9025-treated",
            H,
            9025,
            L.L2,
            scanner(3.0, 20),
            wish=Wish(L.L2, K.EPIDURAL, 0.5, 0.6, 750),
        ),
        PhantomRecipe(
            "phantom-9026-treated",
            H,
            9026,
            L.T10,
            scanner(3.0, 20),
            wish=Wish(L.T10, K.DISKAL, 0.5, 0.6, 2600),
        ),
        PhantomRecipe(
            "phantom-9027-single-treated",
            H,
            9027,
            L.L1,
            scanner(1.0, 25),
            SINGLE_FOV,
            wish=Wish(L.L1, K.EPIDURAL, 0.4, 0.6),
        ),
        PhantomRecipe(
            "phantom-9030-worn",
            H,
            9030,
            L.L3,
            scanner(1.25, 20),
            LUMBAR_FOV,
            worn=((L.L2, LIPS), (L.L3, BRIDGES), (L.L4, BRIDGES)),
        ),
        PhantomRecipe(
            "phantom-9031-worn",
            H,
            9031,
            L.T9,
            scanner(2.5, 25),
            worn=((L.T8, NODES), (L.T9, BRIDGES), (L.T10, BRIDGES)),
        ),
        PhantomRecipe(
            "phantom-9032-worn",
            H,
            9032,
            L.L2,
            scanner(3.0, 20),
            worn=((L.L1, NODES), (L.L2, BRIDGES), (L.L3, LIPS)),
        ),
    ]
