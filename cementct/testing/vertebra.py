"""The shape of one vertebra as signed distances in its own frame (left, posterior, superior; millimetres)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cementct.core.arrays import Float32Array
from cementct.core.levels import Level
from cementct.testing.measures import Measures
from cementct.testing.morphometry import VertebraSize
from cementct.testing.shapes import (
    Coordinates,
    Point,
    distance_to_box,
    distance_to_capsule,
    distance_to_ellipsoid,
    distance_to_oval_rod,
    distance_to_path,
    smooth_intersection,
    smooth_union,
)
from cementct.testing.spec import Compression, Wear
from cementct.testing.wear import distance_to_lips, node_depth_mm

# Depth of the hollow of the two endplates and of the posterior wall, and how far the side walls draw in at
# mid-height, as a share of the half-width. Sound adult bodies on CT; van der Houwen et al., J Biomech
# 2010;43:33 give 1 to 2 mm for the endplates.
SUPERIOR_HOLLOW_MM = 1.2
INFERIOR_HOLLOW_MM = 1.8
WALL_HOLLOW_MM = 1.2
WAIST = 0.09
# Share of the height loss of a compressed body that its upper endplate takes.
UPPER_SHARE_OF_LOSS = 0.8
# Where along the depth, from the front, a compression's three losses apply (the contract's 10, 50, 90 %).
DEPTHS_OF_LOSS = (0.1, 0.5, 0.9)
# Rounding of the endplates' rims.
RIM_RADIUS_MM = 1.5


@dataclass(frozen=True)
class VertebraShape:
    """An ideal vertebra; the origin is the centre of the body.

    Attributes
    ----------
    level
        Its name.
    size
        Its measured lengths.
    disc_above_mm
        Height of the disc over it: its upper articular processes reach past it.
    compression
        Lost height and retropulsion.
    ribs
        Whether ribs spring from it.
    wear
        Its degeneration.
    """

    level: Level
    size: VertebraSize
    disc_above_mm: float
    compression: Compression = field(default_factory=Compression)
    ribs: bool = False
    wear: Wear = field(default_factory=Wear)

    @property
    def wall_mm(self) -> float:
        """Posterior coordinate of the posterior wall at the endplates' rims."""
        return self.size.depth_mm / 2

    @property
    def pedicle_left_mm(self) -> float:
        """Left coordinate of the middle of the left pedicle."""
        return (self.size.canal_width_mm + self.size.pedicle_width_mm) / 2

    @property
    def pedicle_superior_mm(self) -> float:
        """Superior coordinate of the middle of the pedicles."""
        return (self.size.height_mm - self.size.pedicle_height_mm) / 2 - 1.5

    @property
    def measures(self) -> Measures:
        """Its lengths, the neighbours at their usual distance."""
        return self.measures_between(
            self.size.height_mm + self.disc_above_mm, self.size.height_mm + self.size.disc_below_mm
        )

    def measures_between(self, spacing_above_mm: float, spacing_below_mm: float) -> Measures:
        """Return its lengths, given the distances to the neighbouring bodies' centres."""
        size = self.size
        return Measures(
            width_mm=size.width_mm,
            depth_mm=size.depth_mm,
            height_mm=size.height_mm,
            wall_mm=self.wall_mm,
            half_canal_mm=size.canal_width_mm / 2,
            canal_depth_mm=size.canal_depth_mm,
            pedicle_left_mm=self.pedicle_left_mm,
            pedicle_superior_mm=self.pedicle_superior_mm,
            spacing_above_mm=spacing_above_mm,
            spacing_below_mm=spacing_below_mm,
        )

    def _height_mm(self, posterior: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return the sound height and the lost share of it over the depth."""
        share = np.clip(posterior / self.size.depth_mm + 0.5, -0.05, 1.05)
        front, back = self.size.anterior_height_mm, self.size.posterior_height_mm
        c = self.compression
        height = np.asarray(front + (back - front) * share, dtype=np.float32)
        if not (c.anterior or c.middle or c.posterior):
            return height, np.zeros(1, dtype=np.float32)
        a, b, d = (float(v) for v in np.polyfit(DEPTHS_OF_LOSS, (c.anterior, c.middle, c.posterior), 2))
        return height, np.asarray(np.maximum((a * share + b) * share + d, 0.0), dtype=np.float32)

    def _hollow(self, left: Float32Array, posterior: Float32Array) -> Float32Array:
        radius2 = (left / (0.46 * self.size.width_mm)) ** 2 + (posterior / (0.46 * self.size.depth_mm)) ** 2
        return np.asarray(np.maximum(1.0 - radius2, 0.0) ** 0.8, dtype=np.float32)

    def superior_endplate_mm(self, left: Float32Array, posterior: Float32Array) -> Float32Array:
        """Return the superior coordinate of the upper face of the body."""
        height, lost = self._height_mm(posterior)
        hollow = SUPERIOR_HOLLOW_MM * self._hollow(left, posterior)
        if self.wear.schmorl_above_mm:
            hollow = hollow + node_depth_mm(left, posterior, self.wear.schmorl_above_mm, self.size)
        return np.asarray(height * (0.5 - UPPER_SHARE_OF_LOSS * lost) - hollow, dtype=np.float32)

    def inferior_endplate_mm(self, left: Float32Array, posterior: Float32Array) -> Float32Array:
        """Return the superior coordinate of the lower face of the body."""
        height, lost = self._height_mm(posterior)
        hollow = INFERIOR_HOLLOW_MM * self._hollow(left, posterior)
        if self.wear.schmorl_below_mm:
            hollow = hollow + node_depth_mm(-left, posterior, self.wear.schmorl_below_mm, self.size)
        return np.asarray(-height * (0.5 - (1 - UPPER_SHARE_OF_LOSS) * lost) + hollow, dtype=np.float32)

    def posterior_wall_mm(self, left: Float32Array, superior: Float32Array) -> Float32Array:
        """Return the posterior coordinate of the posterior wall, bridged across the basivertebral foramen."""
        across = np.maximum(1.0 - (left / (0.5 * self.size.canal_width_mm)) ** 2, 0.0)
        along = np.maximum(1.0 - (2 * superior / self.size.height_mm) ** 2, 0.0)
        hollow = WALL_HOLLOW_MM * (0.35 + 0.65 * along) * across
        if not self.compression.retropulsion_mm:
            return np.asarray(self.wall_mm - hollow, dtype=np.float32)
        bulge = self.compression.retropulsion_mm * np.exp(
            -((left / 7.0) ** 2) - ((superior - 0.2 * self.size.height_mm) / 5.0) ** 2
        )
        return np.asarray(self.wall_mm - hollow + bulge, dtype=np.float32)

    def distance_to_outline(self, at: Coordinates) -> Float32Array:
        """Return the distance to the body's side walls, as if it had no endplates."""
        left, posterior, superior = at
        size = self.size
        share = np.clip(superior / size.height_mm + 0.5, 0.0, 1.0)
        waist = 1.0 - WAIST * np.maximum(1.0 - (2 * superior / size.height_mm) ** 2, 0.0)
        width = (size.lower_width_mm + (size.upper_width_mm - size.lower_width_mm) * share) * waist / 2
        depth = (size.lower_depth_mm + (size.upper_depth_mm - size.lower_depth_mm) * share) * waist / 2
        # An oval whose widest place lies a little behind the middle, cut off at the posterior wall.
        middle = 0.12 * depth
        reach = np.where(posterior > middle, 1.28 * depth - middle, depth + middle)
        across, along = np.abs(left) / width, np.abs(posterior - middle) / reach
        radius = (across**2.4 + along**2.4) ** (1 / 2.4) + 1e-6
        slope = np.sqrt((across / radius) ** 2.8 / width**2 + (along / radius) ** 2.8 / reach**2)
        oval = np.asarray((radius - 1.0) / np.maximum(slope, 0.02), dtype=np.float32)
        wall = np.asarray(posterior - self.posterior_wall_mm(left, superior), dtype=np.float32)
        return smooth_intersection(oval, wall, RIM_RADIUS_MM)

    def distance_to_body(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to the vertebral body."""
        left, posterior, superior = at
        above = superior - self.superior_endplate_mm(left, posterior)
        below = self.inferior_endplate_mm(left, posterior) - superior
        plates = np.asarray(np.maximum(above, below), dtype=np.float32)
        return smooth_intersection(self.distance_to_outline(at), plates, RIM_RADIUS_MM)

    def distance_to_pedicles(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to both pedicles, from the posterior wall to the lamina."""
        left, posterior, superior = at
        size = self.size
        start = (self.pedicle_left_mm, self.wall_mm - 3.0, self.pedicle_superior_mm)
        end = (
            self.pedicle_left_mm + 0.5,
            self.wall_mm + 0.55 * size.canal_depth_mm,
            self.pedicle_superior_mm - 1.0,
        )
        return distance_to_oval_rod(
            (np.abs(left), posterior, superior),
            (start, end),
            (size.pedicle_width_mm / 2, size.pedicle_height_mm / 2),
        )

    def distance_to_arch(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to pedicles and posterior elements (S1: the rest of the sacrum)."""
        mirrored = (np.abs(at[0]), at[1], at[2])
        pedicles = smooth_union(self.distance_to_pedicles(at), self._distance_to_ring(mirrored), 2.5)
        if self.level is Level.S1:
            rest = self._distance_to_sacral_parts(mirrored)
        elif self.level.is_thoracic:
            rest = self._distance_to_thoracic_processes(mirrored)
        else:
            rest = self._distance_to_lumbar_processes(mirrored)
        return np.maximum(smooth_union(pedicles, rest, 3.0), -self.distance_to_canal(at))

    def distance_to_osteophytes(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to the lips at the endplates' rims, which do not belong to the body."""
        endplates = (self.superior_endplate_mm, self.inferior_endplate_mm)
        return distance_to_lips(at, self.wear.osteophyte_mm, self.size, endplates)

    def distance_to_canal(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to the bony canal of this vertebra, a tube along its superior axis."""
        size = self.size
        half_width, half_depth = size.canal_width_mm / 2, size.canal_depth_mm / 2
        across = np.abs(at[0]) / half_width
        along = (at[1] - self.wall_mm - half_depth) / half_depth
        # Flat in front, where it follows the posterior wall, round behind.
        round_part = (across**2.2 + np.abs(along) ** 2.2) ** (1 / 2.2)
        flat_part = (across**7 + np.abs(along) ** 7) ** (1 / 7)
        radius = np.where(along > 0, round_part, flat_part)
        return np.asarray((radius - 1.0) * min(half_width, half_depth), dtype=np.float32)

    def distance_to_basivertebral_vein(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to the vein that enters the body through its posterior wall."""
        ends = ((0.0, -0.05 * self.size.depth_mm, 0.0), (0.0, self.wall_mm + 1.0, 0.0))
        return distance_to_oval_rod(at, ends, (1.8, 1.3))

    def distance_to_rib(self, at: Coordinates) -> Float32Array:
        """Return the signed distance to both ribs."""
        size = self.size
        own_body = self.level in {Level.T1, Level.T11, Level.T12, Level.T13}
        top = 0.2 * size.height_mm if own_body else 0.5 * size.height_mm + 0.5
        head, arch = size.width_mm / 2 + 2.5, self.wall_mm + 0.75 * size.canal_depth_mm
        ped = self.pedicle_left_mm
        points: list[Point] = [
            (head, self.wall_mm - 4.0, top),
            (ped + 17.0, arch + 3.0, top - 3.0),
            (ped + 36.0, arch + 9.0, top - 12.0),
            (ped + 58.0, arch - 4.0, top - 25.0),
            (ped + 80.0, arch - 40.0, top - 42.0),
            (ped + 84.0, arch - 85.0, top - 62.0),
        ]
        if self.level in {Level.T12, Level.T13}:
            points = points[:4]
        return distance_to_path((np.abs(at[0]), at[1], at[2]), points, 3.6)

    def _distance_to_ring(self, at: Coordinates) -> Float32Array:
        """Return the block that fills the corners between pedicles and laminae; the canal is cut from it."""
        size = self.size
        depth = size.canal_depth_mm
        centre = (0.0, self.wall_mm + 0.75 * depth, self.pedicle_superior_mm - 0.12 * size.pedicle_height_mm)
        half = (
            (size.canal_width_mm + size.pedicle_width_mm) / 2,
            0.25 * depth + 1.5,
            0.3 * size.pedicle_height_mm,
        )
        return distance_to_box(at, centre, half, 2.0)

    def _distance_to_lumbar_processes(self, at: Coordinates) -> Float32Array:
        size, ped, arch_s = self.size, self.pedicle_left_mm, self.pedicle_superior_mm
        height, behind = size.height_mm, self.wall_mm + size.canal_depth_mm
        front = self.wall_mm + 0.6 * size.canal_depth_mm
        pars = distance_to_capsule(
            at, ((ped + 1, front, arch_s), (0.9 * ped, behind - 1, -0.4 * height)), 4.3
        )
        lamina = distance_to_oval_rod(
            at,
            ((0.85 * ped, behind - 2, -0.15 * height), (0.0, behind + 4.5, -0.3 * height)),
            (3.0, 0.38 * height),
        )
        upper = distance_to_capsule(
            at,
            (
                (ped + 2, front + 1, arch_s + 3),
                (ped + 3.5, front + 3, height / 2 + self.disc_above_mm * 0.5 + 3),
            ),
            4.4,
        )
        lower = distance_to_capsule(
            at,
            (
                (0.8 * ped, behind, -0.4 * height),
                (0.78 * ped, front + 8.5, -height / 2 - size.disc_below_mm * 0.5 - 4),
            ),
            4.4,
        )
        reach = {Level.L1: 24.0, Level.L5: 24.0, Level.L6: 22.0}.get(self.level, 28.0)
        across = distance_to_oval_rod(
            at, ((ped + 4, front - 1, arch_s), (ped + reach, front + 4, arch_s + 2)), (2.3, 4.5)
        )
        long = 10.0 if self.level in {Level.L5, Level.L6} else 14.0
        spine = distance_to_box(at, (0.0, behind + 4 + long, -0.32 * height), (2.8, long, 9.0), 2.0)
        return _joined([pars, lamina, upper, lower, across, spine])

    def _distance_to_thoracic_processes(self, at: Coordinates) -> Float32Array:
        size, ped, arch_s = self.size, self.pedicle_left_mm, self.pedicle_superior_mm
        height, behind = size.height_mm, self.wall_mm + size.canal_depth_mm
        front = self.wall_mm + 0.7 * size.canal_depth_mm
        pars = distance_to_capsule(at, ((ped + 1, front, arch_s), (0.9 * ped, behind, -0.35 * height)), 3.6)
        lamina = distance_to_oval_rod(
            at,
            ((0.85 * ped, behind, -0.1 * height), (0.0, behind + 3.5, -0.2 * height)),
            (2.7, 0.45 * height),
        )
        upper = distance_to_oval_rod(
            at,
            ((ped, front + 1, arch_s + 3), (ped, front + 2.5, height / 2 + self.disc_above_mm * 0.5 + 3)),
            (2.8, 3.2),
        )
        lower = distance_to_oval_rod(
            at,
            (
                (0.9 * ped, behind + 1, -0.4 * height),
                (0.95 * ped, front + 8.0, -height / 2 - size.disc_below_mm - 3),
            ),
            (2.8, 3.2),
        )
        low = self.level in {Level.T11, Level.T12, Level.T13}
        reach = 9.0 if low else 19.0
        across = distance_to_oval_rod(
            at,
            ((ped + 2, front + 3, arch_s), (ped + reach, front + (9.0 if low else 15.0), arch_s + 4)),
            (3.6, 4.8),
        )
        drop = 8.0 if low or self.level in {Level.T1, Level.T2} else 20.0
        spine = distance_to_oval_rod(
            at, ((0.0, behind + 3, -0.2 * height), (0.0, behind + 26, -0.2 * height - drop)), (2.4, 5.0)
        )
        return _joined([pars, lamina, upper, lower, across, spine])

    def _distance_to_sacral_parts(self, at: Coordinates) -> Float32Array:
        size = self.size
        behind = self.wall_mm + size.canal_depth_mm
        wing = distance_to_ellipsoid(at, (36.0, 3.0, -10.0), (23.0, 18.0, 25.0))
        lower = distance_to_box(at, (0.0, 4.0, -38.0), (22.0, 9.0, 28.0), 6.0)
        roof = distance_to_box(at, (0.0, behind + 4.0, -20.0), (26.0, 3.5, 26.0), 3.0)
        crest = distance_to_box(at, (0.0, behind + 9.0, -18.0), (2.5, 7.0, 18.0), 2.0)
        joint = distance_to_capsule(at, ((23.0, behind - 2.0, 2.0), (24.0, behind, 19.0)), 4.6)
        side = distance_to_box(at, (27.0, behind - 8.0, -14.0), (10.0, 12.0, 22.0), 5.0)
        return _joined([wing, lower, roof, crest, joint, side])


def _joined(parts: list[Float32Array]) -> Float32Array:
    whole = parts[0]
    for part in parts[1:]:
        whole = smooth_union(whole, part, 2.5)
    return whole
