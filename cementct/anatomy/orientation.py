"""Which way up, forward and back each vertebra lies, read from the bone and not from the header."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cementct.anatomy.sampling import SURFACE, Extent, sample_region
from cementct.core.arrays import FloatArray, as_floats
from cementct.core.frame import Frame
from cementct.core.grid import Grid
from cementct.core.image import Region

# Samples of the coarse look at a vertebra, mm.
COARSE_STEP_MM = 2.0
# Half the widest vertebra across, transverse processes included, with room for a crooked start, mm.
COARSE_REACH_MM = 64.0
# The smallest circle that fits into a vertebral body seen from above, mm: bodies from C3 on have 7 mm or
# more, while laminae and spinous processes alone stay under it.
LEAST_BODY_RADIUS_MM = 6.0
# Neighbouring vertebrae are turned against each other about the long axis by less than this, degrees;
# a back direction farther off its neighbours' is replaced by theirs (scoliosis stays under 15 a level).
GREATEST_TURN_DEG = 35.0

# The same once the canal is found; between neighbours but one, scoliosis included, degrees.
REFINED_TURN_DEG = 20.0

# A frame has settled when a further look moves it by no more than this, mm and degrees.
SETTLED_MM = 3.0
SETTLED_DEG = 4.0
# A vertebra under this share of the usual volume is a piece, cut by the scan: it says nothing about the curve
# of the spine. It is an arch without a body where its widest part lies farther behind the neighbour's middle
# than this share of the neighbour's radius.
PIECE_SHARE = 0.4
ARCH_BEHIND_SHARE = 0.8
# Pedicles spring from the upper half of thoracic and lumbar bodies: their middle lies 0.02 to 0.3 of the
# body's height above its middle (expert masks of VerSe and HealthiVert, T4 to L5). Where all lie below it,
# and on average by more than this, head and feet are exchanged.
LOW_PEDICLE_SHARE = -0.06
# So many vertebrae have to say so: one alone may be misshapen.
LEAST_UPRIGHT_VOTES = 2
# Bodies less deep than this are cervical or of the first ribs, where pedicles also spring lower, mm.
LEAST_VOTING_DEPTH_MM = 19.0
# An organ farther than this from the midsagittal plane of the nearest vertebra has a side, mm: 100 mm before
# it, a vertebra turned by 10 degrees shifts its plane by 17 mm.
LEAST_ORGAN_OFFSET_MM = 20.0
# So many organs on the wrong side, and none on its own, contradict the header: disease may displace one.
LEAST_ORGANS = 2


@dataclass(frozen=True)
class RoughPose:
    """Where the body of a vertebra lies and which way its back is, to some millimetres and degrees.

    Attributes
    ----------
    centre_lps_mm
        Middle of the body.
    radius_mm
        Radius of the largest circle that fits into the body seen from above.
    superior, posterior
        Unit vectors (LPS); `posterior` is None where only a body is labelled.
    """

    centre_lps_mm: FloatArray
    radius_mm: float
    superior: FloatArray
    posterior: FloatArray | None


def rough_frames(
    grid: Grid, regions: Sequence[Region], *, sacral: Collection[int] = ()
) -> list[Frame | None]:
    """Return a rough frame for each vertebra, in the order from top to bottom; None where no body is in view.

    The long axis follows the vertebrae, the back is where their arches are.

    Parameters
    ----------
    grid, regions
        The vertebrae from top to bottom, and their grid.
    sacral
        Places of those that are sacrum: with its wings, however much of them is labelled, its middle says
        nothing about the curve of the vertebrae above.
    """
    centres = as_floats([grid.to_lps(region.indices().mean(axis=0)) for region in regions])
    mobile = as_floats([i not in sacral for i in range(len(regions))]) > 0
    upward = _tangents(centres)
    if np.count_nonzero(mobile) > 1:
        upward[mobile] = _tangents(centres[mobile])
    poses = [_look(grid, r, c, up) for r, c, up in zip(regions, centres, upward, strict=True)]
    sizes = as_floats([region.count if pose else 0 for region, pose in zip(regions, poses, strict=True)])
    if not sizes.any():
        return [None] * len(regions)
    whole = np.flatnonzero(sizes >= PIECE_SHARE * np.median(sizes[sizes > 0]))
    whole = whole[mobile[whole]] if np.count_nonzero(mobile[whole]) > 1 else whole
    bodies = as_floats([_pose(poses[i]).centre_lps_mm for i in whole])
    along = _tangents(bodies)
    for i in np.flatnonzero(sizes).tolist():
        up = along[int(np.abs(whole - i).argmin())]
        poses[i] = _look(grid, regions[i], _pose(poses[i]).centre_lps_mm, up) or poses[i]
    frames = _agreed_frames(poses)
    for i in np.setdiff1d(np.flatnonzero(sizes), whole).tolist():
        nearest = int(whole[np.abs(whole - i).argmin()])
        frames[i] = _unless_arch(frames[i], frames[nearest], _pose(poses[nearest]).radius_mm)
    return frames


def _unless_arch(frame: Frame | None, neighbour: Frame | None, radius_mm: float) -> Frame | None:
    """Return the frame of a piece, or None where it lies behind its neighbour's body and so is an arch."""
    if frame is None or neighbour is None:
        return frame
    behind = float(neighbour.to_local(frame.centre_lps_mm)[1])
    return None if behind > ARCH_BEHIND_SHARE * radius_mm else frame


def _pose(pose: RoughPose | None) -> RoughPose:
    if pose is None:
        raise ValueError("expected a vertebra whose body is in view")
    return pose


def _tangents(centres: FloatArray) -> FloatArray:
    """Return the upward direction along a chain of points from top to bottom; the head's where alone."""
    if len(centres) < 2:
        return as_floats([[0.0, 0.0, 1.0]] * len(centres))
    along = np.empty_like(centres)
    along[1:-1] = centres[:-2] - centres[2:]
    along[0] = centres[0] - centres[1]
    along[-1] = centres[-2] - centres[-1]
    return np.asarray(along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9))


def _look(grid: Grid, region: Region, centre: FloatArray, up: FloatArray) -> RoughPose | None:
    """Look at one vertebra along the spine: the widest part of what is seen is its body."""
    back = as_floats((0.0, 1.0, 0.0))
    if abs(float(back @ up)) > 0.9:
        back = as_floats((0.0, 0.0, 1.0))
    frame = Frame.from_axes(centre, up, back)
    reach = (-COARSE_REACH_MM, COARSE_REACH_MM)
    extent = Extent(reach, reach, reach)
    block = sample_region(region, grid, frame, extent=extent, step_mm=COARSE_STEP_MM)
    seen = (block.bone >= SURFACE).any(axis=2)
    if not seen.any():
        return None
    inner = np.asarray(ndimage.distance_transform_edt(np.pad(seen, 1)))[1:-1, 1:-1]
    inner = ndimage.gaussian_filter(inner, 1.0)
    row, column = np.unravel_index(int(inner.argmax()), inner.shape)
    radius = float(inner[row, column]) * COARSE_STEP_MM
    if radius < LEAST_BODY_RADIUS_MM - COARSE_STEP_MM:
        return None
    left, posterior = block.left_mm[row], block.posterior_mm[column]
    away = np.hypot(block.left_mm[:, None] - left, block.posterior_mm[None, :] - posterior)
    height = block.bone[away < 0.7 * radius].sum(axis=0)
    superior = float((height * block.superior_mm).sum() / max(float(height.sum()), 1e-6))
    rest = seen & (away > 1.3 * radius)
    direction = None
    if np.count_nonzero(rest) * COARSE_STEP_MM**2 > radius**2:
        offset = (block.left_mm[:, None] - left, block.posterior_mm[None, :] - posterior)
        mean = [float(part[rest].mean()) for part in np.broadcast_arrays(*offset)]
        direction = as_floats((*mean, 0.0)) @ frame.axes
        direction = direction / max(float(np.linalg.norm(direction)), 1e-9)
    return RoughPose(frame.to_lps((left, posterior, superior)), radius, up, direction)


def _agreed_frames(poses: Sequence[RoughPose | None]) -> list[Frame | None]:
    """Turn poses into frames; a back direction that contradicts its neighbours' is replaced by theirs."""
    backs = [pose.posterior for pose in poses if pose is not None and pose.posterior is not None]
    common = np.median(as_floats(backs), axis=0) if backs else as_floats((0.0, 1.0, 0.0))
    frames: list[Frame | None] = []
    for i, pose in enumerate(poses):
        if pose is None:
            frames.append(None)
            continue
        around = [
            p.posterior
            for p in poses[max(i - 2, 0) : i + 3]
            if p is not None and p is not pose and p.posterior is not None
        ]
        expected = np.mean(as_floats(around), axis=0) if around else common
        own = pose.posterior
        if own is None or (len(around) >= 2 and _angle_deg(own, expected) > GREATEST_TURN_DEG):
            own = expected
        frames.append(Frame.from_axes(pose.centre_lps_mm, pose.superior, own))
    return frames


def agreed_axes(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames with back directions that stand apart from their neighbours' replaced by theirs."""
    out = []
    for i, frame in enumerate(frames):
        around = [f.posterior for f in [*frames[max(i - 2, 0) : i], *frames[i + 1 : i + 3]]]
        if len(around) < 2:
            out.append(frame)
            continue
        expected = np.median(as_floats(around), axis=0)
        level = Frame.from_axes(frame.centre_lps_mm, frame.superior, expected)
        turned = _angle_deg(as_floats(level.posterior), as_floats(frame.posterior)) > REFINED_TURN_DEG
        out.append(level if turned else frame)
    return out


def shown_upside_down(places: Sequence[tuple[float, float]]) -> bool:
    """Tell whether the pedicles say that what is taken for the upper ends of vertebrae are their lower ends.

    Parameters
    ----------
    places
        For each vertebra whose body and pedicles are in view, the height of the pedicles' middle over the
        body's middle as a share of the body's height, and the body's depth in millimetres.
    """
    votes = [height for height, depth_mm in places if depth_mm >= LEAST_VOTING_DEPTH_MM]
    return len(votes) >= LEAST_UPRIGHT_VOTES and max(votes) < 0 and float(np.mean(votes)) < LOW_PEDICLE_SHARE


def shown_mirrored(
    frames: Sequence[Frame], left_organs_lps_mm: FloatArray, right_organs_lps_mm: FloatArray
) -> bool:
    """Tell whether organs of one side all lie on the other: the voxels have been mirrored.

    Parameters
    ----------
    frames
        Of the vertebrae; their left follows from back and head, which the bone shows.
    left_organs_lps_mm, right_organs_lps_mm
        Centres of organs that lie on the left and on the right in nearly everybody, shape (n, 3).
    """
    centres = as_floats([frame.centre_lps_mm for frame in frames])
    wrong = right = 0
    for points, side in ((left_organs_lps_mm, 1.0), (right_organs_lps_mm, -1.0)):
        for point in points:
            nearest = frames[int(np.linalg.norm(centres - point, axis=1).argmin())]
            offset = side * float(nearest.to_local(point)[0])
            wrong += offset < -LEAST_ORGAN_OFFSET_MM
            right += offset > LEAST_ORGAN_OFFSET_MM
    return wrong >= LEAST_ORGANS and not right


def is_near(first: Frame, second: Frame) -> bool:
    """Tell whether two frames differ by so little that measuring in either gives the same."""
    moved = float(np.linalg.norm(as_floats(first.centre_lps_mm) - second.centre_lps_mm))
    turned = max(
        _angle_deg(as_floats(first.superior), as_floats(second.superior)),
        _angle_deg(as_floats(first.posterior), as_floats(second.posterior)),
    )
    return moved <= SETTLED_MM and turned <= SETTLED_DEG


def _angle_deg(first: FloatArray, second: FloatArray) -> float:
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(float(first @ second) / max(scale, 1e-9), -1.0, 1.0))))
