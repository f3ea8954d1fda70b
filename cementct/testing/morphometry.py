"""Approximate sizes of thoracic and lumbar vertebrae of adults.

The figures follow published means, but were entered from memory and rounded; nobody has compared them with
the papers' tables line by line, so they serve to draw plausible vertebrae and as nothing else.

Sources
-------
Bodies and canal: after Panjabi et al., Spine 1991;16:888-901 (thoracic; the abstract, checked: 144 vertebrae,
canal narrowest from T3 to T9) and Spine 1992;17:299-306 (lumbar).
Pedicles: after Zindrick et al., Spine 1987;12:160-166. Checked against abstracts of other series: narrowest
at T4, 4.5 mm (Kaur et al., J Clin Orthop Trauma 2016;7:101), widest at L5.
Anterior against posterior height, disc heights: after Berry et al., Spine 1987;12:362-367, and the usual
lordosis of discs. Checked: at T9 18.8 and 20.5 mm (Egwu et al., J Anat Soc India 2019;68:110, men), here
18.3 and 19.3 mm.
Sagittal tilt: the usual supine alignment (thoracic kyphosis about 35, lumbar lordosis about 50, sacral slope
about 38 degrees). S1, T13 and L6 are extrapolated from their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

from cementct.core.levels import Level


@dataclass(frozen=True)
class VertebraSize:
    """Size of one vertebra, in millimetres and degrees.

    Attributes
    ----------
    upper_width_mm, lower_width_mm, upper_depth_mm, lower_depth_mm
        Of the two endplates.
    posterior_height_mm, anterior_height_mm
        Of the body.
    canal_width_mm, canal_depth_mm
        Between the medial borders of the pedicles, and from the posterior wall to the lamina.
    pedicle_width_mm, pedicle_height_mm
        At the isthmus.
    disc_below_mm
        Height of the disc under it, at its middle.
    tilt_deg
        Forward lean of its superior axis in a supine spine of ordinary curvature.
    """

    upper_width_mm: float
    lower_width_mm: float
    upper_depth_mm: float
    lower_depth_mm: float
    posterior_height_mm: float
    anterior_height_mm: float
    canal_width_mm: float
    canal_depth_mm: float
    pedicle_width_mm: float
    pedicle_height_mm: float
    disc_below_mm: float
    tilt_deg: float

    @property
    def width_mm(self) -> float:
        """Mean width of the endplates."""
        return (self.upper_width_mm + self.lower_width_mm) / 2

    @property
    def depth_mm(self) -> float:
        """Mean depth of the endplates."""
        return (self.upper_depth_mm + self.lower_depth_mm) / 2

    @property
    def height_mm(self) -> float:
        """Mean of anterior and posterior height."""
        return (self.posterior_height_mm + self.anterior_height_mm) / 2


# Columns: upper and lower endplate width, upper and lower endplate depth, posterior and anterior height,
# canal width and depth, pedicle width and height, disc below (all mm), forward tilt (degrees).
_TABLE: dict[Level, tuple[float, ...]] = {
    Level.T1: (24.5, 27.8, 18.5, 19.7, 14.1, 13.6, 21.8, 16.4, 7.9, 9.9, 4.0, 25.0),
    Level.T2: (24.9, 27.4, 19.6, 21.6, 15.6, 15.0, 19.5, 15.5, 7.0, 12.0, 3.8, 22.0),
    Level.T3: (24.6, 25.9, 22.7, 23.3, 15.7, 15.0, 18.2, 16.1, 5.6, 12.4, 3.8, 19.0),
    Level.T4: (24.5, 26.0, 23.3, 24.5, 16.2, 15.4, 17.0, 16.2, 4.7, 12.1, 3.9, 15.0),
    Level.T5: (24.9, 27.0, 24.3, 25.8, 16.2, 15.3, 17.2, 16.5, 4.5, 11.9, 4.0, 11.0),
    Level.T6: (26.2, 28.2, 26.0, 26.9, 17.4, 16.4, 17.3, 16.3, 5.2, 12.2, 4.2, 6.0),
    Level.T7: (27.8, 29.1, 27.4, 28.5, 18.2, 17.1, 17.2, 16.1, 5.3, 12.1, 4.4, 2.0),
    Level.T8: (29.5, 30.5, 27.9, 29.4, 18.7, 17.6, 17.7, 15.9, 5.9, 12.5, 4.7, -2.0),
    Level.T9: (30.6, 33.0, 29.3, 31.0, 19.3, 18.3, 17.9, 15.7, 6.1, 13.9, 5.1, -5.0),
    Level.T10: (31.9, 35.4, 30.5, 31.6, 20.2, 19.2, 18.2, 15.5, 6.3, 14.9, 5.6, -8.0),
    Level.T11: (34.9, 39.1, 31.9, 31.8, 21.3, 20.0, 19.4, 16.1, 7.8, 17.4, 6.2, -10.0),
    Level.T12: (39.0, 42.1, 32.8, 33.4, 22.7, 21.2, 22.2, 18.1, 7.1, 15.8, 7.0, -11.0),
    Level.T13: (40.0, 42.7, 33.4, 34.3, 23.2, 21.9, 22.9, 18.5, 7.9, 15.6, 7.6, -11.0),
    Level.L1: (41.2, 43.3, 34.1, 35.3, 23.8, 22.6, 23.7, 19.0, 8.7, 15.4, 8.3, -11.0),
    Level.L2: (42.6, 45.5, 34.6, 34.9, 24.3, 24.0, 23.8, 18.2, 8.9, 15.0, 9.4, -8.0),
    Level.L3: (44.1, 48.0, 35.2, 34.8, 23.8, 24.6, 24.3, 17.5, 10.3, 14.9, 10.6, -1.0),
    Level.L4: (46.6, 49.5, 35.5, 33.9, 24.1, 25.9, 25.4, 18.6, 12.9, 14.8, 11.2, 8.0),
    Level.L5: (47.3, 49.4, 34.7, 33.2, 22.9, 27.0, 27.1, 19.7, 16.5, 14.0, 10.2, 20.0),
    Level.L6: (47.8, 49.6, 34.2, 33.0, 22.5, 27.2, 28.0, 19.2, 17.0, 14.0, 9.0, 28.0),
    Level.S1: (50.0, 36.0, 33.5, 24.0, 24.0, 30.0, 30.0, 17.0, 18.0, 20.0, 0.0, 38.0),
}

LEVELS_WITH_SIZES: tuple[Level, ...] = tuple(_TABLE)


def size_of(level: Level, *, scale: float = 1.0, curvature: float = 1.0) -> VertebraSize:
    """Return the approximate mean size of a vertebra from T1 to S1.

    Parameters
    ----------
    level
        Which vertebra.
    scale
        Factor on all lengths (0.88 a small woman, 1.1 a tall man).
    curvature
        Factor on the sagittal tilt.

    Raises
    ------
    ValueError
        For cervical levels, which have no entry.
    """
    if level not in _TABLE:
        raise ValueError(f"sizes are known from T1 to S1, got {level}")
    factors = [scale] * 11 + [curvature]
    return VertebraSize(*[value * f for value, f in zip(_TABLE[level], factors, strict=True)])
