"""One case, run and compared with its truth."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.anatomy.canal_truth import middle_by_slice
from benchmarks.anatomy.cases import AnatomyCase
from benchmarks.anatomy.matching import Matches, match_vertebrae
from benchmarks.anatomy.scores import CaseScore, VertebraScore
from benchmarks.anatomy.surfaces import Face, body_frame, distances_mm, face_points, surface_of
from cementct.anatomy.describe import describe_spine
from cementct.anatomy.labels import SpineLabels
from cementct.anatomy.model import Spine, Vertebra
from cementct.core.arrays import BoolArray, FloatArray, as_floats
from cementct.core.findings import LeakType
from cementct.core.grid import Box
from cementct.core.image import Region
from cementct.core.levels import LabelScheme, level_of_number
from cementct.segmentation.vertebrae.embedded import segment_vertebrae

# Around a true body, mm: beyond what is measured along normals.
MARGIN_MM = 12.0
# Leaks smaller than this on the scan's grid say nothing about shares, ml.
LEAST_LEAK_ML = 0.02
# The error of a canal that was not found.
NO_CANAL_MM = 99.0


@dataclass(frozen=True)
class Result:
    """What the engine made of a case, and how good that is."""

    spine: Spine
    labels: SpineLabels
    score: CaseScore


def run_case(case: AnatomyCase) -> Result:
    """Run engine and description on a case and score them."""
    started = time.process_time()
    labels = segment_vertebrae(case.post)
    between = time.process_time()
    spine = describe_spine(case.post, labels)
    ended = time.process_time()
    return Result(spine, labels, score_case(case, labels, spine, (between - started, ended - between)))


def score_case(
    case: AnatomyCase, labels: SpineLabels, spine: Spine, seconds: tuple[float, float] = (0.0, 0.0)
) -> CaseScore:
    """Return how near a spine comes to a case's truth; `seconds` of engine and description are noted."""
    matches = match_vertebrae(spine.vertebrae, case.vertebrae, case.bodies, case.post.measured())
    return CaseScore(
        name=case.name,
        description=case.description,
        family=case.family,
        half=case.half,
        slice_mm=case.slice_mm,
        whole=len(matches.whole),
        found=len(matches.whole) - len(matches.missed),
        missed=tuple(_name(n) for n in matches.missed),
        invented=matches.invented,
        doubled=matches.doubled,
        in_order=matches.in_order,
        names_knowable=case.names_knowable,
        vertebrae=_vertebra_scores(case, matches),
        leaked_inside_share=_leaked_inside(case, spine),
        cement_outside_share=_cement_outside(case, matches),
        canal_mm=_canal_errors_mm(case, labels, matches),
        slices=case.post.grid.shape[0],
        engine_seconds=seconds[0],
        describe_seconds=seconds[1],
    )


def failed_score(case: AnatomyCase, error: str) -> CaseScore:
    """Return the score of a case on which the engine raised an error: nothing found."""
    matches = match_vertebrae((), case.vertebrae, case.bodies, case.post.measured())
    return CaseScore(
        name=case.name,
        description=case.description,
        family=case.family,
        half=case.half,
        slice_mm=case.slice_mm,
        whole=len(matches.whole),
        found=0,
        missed=tuple(_name(n) for n in matches.missed),
        invented=0,
        doubled=0,
        in_order=True,
        names_knowable=case.names_knowable,
        slices=case.post.grid.shape[0],
        error=error,
    )


def _vertebra_scores(case: AnatomyCase, matches: Matches) -> tuple[VertebraScore, ...]:
    regions = case.bodies.regions()
    centres = {n: case.bodies.grid.to_lps(r.indices().mean(axis=0)) for n, r in regions.items()}
    ordered = sorted(centres, key=lambda n: -centres[n][2])
    scores = []
    for number in matches.whole:
        if number not in matches.pairs:
            continue
        place = ordered.index(number)
        up = centres[ordered[max(0, place - 1)]] - centres[ordered[min(len(ordered) - 1, place + 1)]]
        if not np.any(up):
            up = as_floats([0.0, 0.0, 1.0])
        scores.append(_vertebra_score(case, regions[number], number, matches.pairs[number], up))
    return tuple(scores)


def _vertebra_score(
    case: AnatomyCase, body: Region, number: int, found: Vertebra, up: FloatArray
) -> VertebraScore:
    box = case.post.grid.expand(body.box, MARGIN_MM)
    distances = _face_distances(case, body.in_box(box), number, found.body.in_box(box), up, box)
    shared = int(np.count_nonzero(body.voxels & found.body.in_box(body.box)))
    return VertebraScore(
        number=number,
        treated=number in case.treated,
        body_dice=2 * shared / max(1, body.count + found.body.count),
        volume_error=found.body.count / body.count - 1,
        whole_dice=_whole_dice(case, number, found) if case.whole_truth else None,
        **{f"{key}_mm": float(np.abs(d).mean()) if d.size else np.nan for key, d in distances.items()},
        **{f"{key}_bias_mm": float(d.mean()) if d.size else np.nan for key, d in distances.items()},
        confidence=found.confidence,
        name=found.level.value if found.level else "",
        true_name=_name(number),
        cement_outside_share=_cement_outside_body(case, number, body.box, found),
    )


def _face_distances(
    case: AnatomyCase, body: BoolArray, number: int, own: BoolArray, up: FloatArray, box: Box
) -> dict[str, FloatArray]:
    grid = case.post.grid.crop(box)
    whole = np.asarray(case.vertebrae.labels[box.slices] == number)
    surface = surface_of(body, grid)
    back = grid.to_lps(np.argwhere(whole).mean(axis=0)) - surface.points_lps_mm.mean(axis=0)
    faces = face_points(surface, body_frame(surface, up, back), whole, grid)
    keys = {Face.WALL: "wall", Face.SUPERIOR: "superior", Face.INFERIOR: "inferior"}
    return {keys[face]: distances_mm(points, own, grid) for face, points in faces.items()}


def _whole_dice(case: AnatomyCase, number: int, found: Vertebra) -> float:
    inside = case.vertebrae.labels[found.whole.box.slices][found.whole.voxels] == number
    total = int(np.count_nonzero(case.vertebrae.labels == number)) + found.whole.count
    return 2 * int(np.count_nonzero(inside)) / max(1, total)


def _cement_outside_body(case: AnatomyCase, number: int, box: Box, found: Vertebra | None) -> float | None:
    """Return the share of the cement in a true body that lies outside the found one; None without cement."""
    if case.cement is None:
        return None
    inside = (case.cement.labels[box.slices] == number) & (case.bodies.labels[box.slices] == number)
    own = found.body.in_box(box) if found else np.zeros(box.shape, dtype=np.bool_)
    total = int(np.count_nonzero(inside))
    return int(np.count_nonzero(inside & ~own)) / total if total else None


def _cement_outside(case: AnatomyCase, matches: Matches) -> float | None:
    if not case.treated:
        return None
    everything = case.post.grid.box
    found = [_cement_outside_body(case, n, everything, matches.pairs.get(n)) for n in case.treated]
    shares = [share for share in found if share is not None]
    return float(np.mean(shares)) if shares else None


def _leaked_inside(case: AnatomyCase, spine: Spine) -> dict[str, float]:
    if case.leaks is None:
        return {}
    inside = np.zeros(case.post.grid.shape, dtype=np.bool_)
    for vertebra in spine.vertebrae:
        inside[vertebra.body.box.slices] |= vertebra.body.voxels
    shares = {}
    for kind in LeakType:
        leaked = np.asarray(case.leaks.labels == kind.number)
        total = int(np.count_nonzero(leaked))
        if total * case.post.grid.voxel_ml >= LEAST_LEAK_ML:
            shares[kind.value] = float(np.count_nonzero(leaked & inside) / total)
    return shares


def _canal_errors_mm(case: AnatomyCase, labels: SpineLabels, matches: Matches) -> tuple[float, ...]:
    """Return how far the found canal's middle passes from the true one, along the whole vertebrae in view."""
    true = case.canal_lps_mm
    if not len(true) or not matches.whole:
        return ()
    regions = case.bodies.regions()
    grid = case.post.grid
    z = grid.to_index(true)[:, 0]
    low = min(regions[n].box.start[0] for n in matches.whole)
    high = max(regions[n].box.stop[0] - 1 for n in matches.whole)
    true = true[(z >= low) & (z <= high)]
    found = middle_by_slice(labels.canal.voxels, grid) if labels.canal else np.zeros((0, 3))
    if len(found) < 2:
        return (NO_CANAL_MM,) * len(true)
    return tuple(np.round(_distance_to_line_mm(true, found), 3).tolist())


def _distance_to_line_mm(points: FloatArray, line: FloatArray) -> FloatArray:
    """Return the distance of points from a line of straight pieces."""
    start, step = line[:-1], np.diff(line, axis=0)
    length = np.maximum((step**2).sum(axis=1), 1e-9)
    along = ((points[:, None] - start[None]) * step[None]).sum(axis=2) / length
    nearest = start[None] + np.clip(along, 0, 1)[..., None] * step[None]
    return as_floats(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1))


def _name(number: int) -> str:
    level = level_of_number(number, LabelScheme.VERSE)
    return level.value if level else str(number)
