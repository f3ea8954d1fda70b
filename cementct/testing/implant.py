"""Lesion, cement and leaks put into a real CT with vertebra labels; the real noise and anatomy stay."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cementct.core.arrays import BoolArray, Float32Array
from cementct.core.findings import Destruction
from cementct.core.grid import Box, Grid
from cementct.core.image import PADDING_HU, LabelMap, Volume
from cementct.core.levels import LabelScheme, Level, level_of_number
from cementct.testing.column import ColumnCoordinates, local_coordinates, turn_matrix
from cementct.testing.epidural_leaks import reach_along_spine_mm
from cementct.testing.hardening import hardening_error_hu
from cementct.testing.judging import judge_leaks, leak_types
from cementct.testing.labelling import majority
from cementct.testing.lesions import SCLEROSIS_HU, TUMOUR_HU
from cementct.testing.noise import smooth_noise
from cementct.testing.realspine import (
    RealVertebra,
    borders_of_real,
    measure_real_vertebrae,
    measures_of_real,
    real_bodies,
    real_discs,
)
from cementct.testing.sampling import Lattices, scan_fine_volume
from cementct.testing.site import Site, grow
from cementct.testing.spec import Kernel, Movement, Scanner, Treatment
from cementct.testing.treating import inject_site, judge_treated
from cementct.testing.truth import CaseTruth, VertebraTruth

# Around the vertebra, in its own frame: to the sides, before and behind the wall, above and below its ends.
_REACH = {"side": 46.0, "front": 18.0, "back": 62.0, "ends": 24.0}
# Noise that tells the pre-injection scan's voxels from those of the post-injection scan.
_FRESH_NOISE_HU = 6.0


@dataclass(frozen=True)
class ImplantCase:
    """A real CT with simulated treatment.

    Attributes
    ----------
    post, pre
        With cement; and with the lesion only, the whole patient moved rigidly (its grid is turned).
    truth
        Its numbers, for the treated vertebrae.
    vertebrae, bodies, lesion, cement, leaks
        Label maps on the grid of `post`, in VerSe numbers; leaks by type.
    """

    post: Volume
    pre: Volume
    truth: CaseTruth
    vertebrae: LabelMap
    bodies: LabelMap
    lesion: LabelMap
    cement: LabelMap
    leaks: LabelMap


def implant(
    volume: Volume,
    vertebrae: LabelMap,
    treatments: tuple[Treatment, ...],
    *,
    scheme: LabelScheme = LabelScheme.VERSE,
    seed: int = 0,
    scanner: Scanner | None = None,
    movement: Movement | None = None,
) -> ImplantCase:
    """Return a real CT after (and before) simulated treatments.

    Parameters
    ----------
    volume
        The CT, in canonical order.
    vertebrae
        Its vertebrae on the same grid.
    treatments
        By level; each level has to be whole in the label map, with a neighbour.
    scheme
        What the numbers of `vertebrae` mean.
    seed
        Of all shapes.
    scanner
        Kernel, clipping and remaining beam hardening that the implants are blurred with; None: a standard
        kernel, clipped at 3071.
    movement
        Of the whole patient between both scans; only rotation and shift count.

    Raises
    ------
    ValueError
        Where a level is not in the label map, or has no room for what was wanted.
    """
    labels = to_verse(vertebrae, scheme)
    measured = measure_real_vertebrae(labels)
    bodies = real_bodies(labels, measured)
    pattern = scanner or Scanner(kernel=Kernel.STANDARD, clip_hu=3071)
    post = np.array(volume.hu, dtype=np.float32)
    pre = np.array(volume.hu, dtype=np.float32)
    maps = {name: np.zeros(volume.grid.shape, dtype=np.uint8) for name in ("lesion", "cement", "leaks")}
    records = []
    for treatment in treatments:
        site, lattices, box = _site(labels, bodies, measured, treatment, seed)
        injected = inject_site(site, treatment, site.solid, seed=seed)
        types = leak_types(site, injected.voxels, injected.track)
        names = {v.number: _name(v.number) for v in measured}
        leaks = judge_leaks(site, types, names, list(names))
        records.append(judge_treated(site, treatment, injected, leaks))
        view = box.slices
        lesion_hu = _lesion_tissue(site, treatment)
        pre[view] = _compose(pre[view], site.lesion, lesion_hu, lattices, pattern)
        post[view] = _compose(post[view], site.lesion, lesion_hu, lattices, pattern)
        post[view] = _compose(post[view], injected.voxels, injected.opacity, lattices, pattern)
        for name, mask in (("lesion", site.lesion), ("cement", injected.voxels)):
            found = majority(mask.astype(np.uint8), lattices)
            maps[name][view][found > 0] = site.number
        found = majority(types, lattices)
        maps["leaks"][view][found > 0] = found[found > 0]
    grid = volume.grid
    rng = np.random.default_rng([seed, 61])
    pre += _FRESH_NOISE_HU * rng.standard_normal(pre.shape, dtype=np.float32)
    return ImplantCase(
        post=Volume(_stored(post, volume, pattern), grid),
        pre=Volume(_stored(pre, volume, pattern), _moved(grid, movement or Movement())),
        truth=CaseTruth(seed, "implant in a real CT", _all_records(measured, records, bodies)),
        vertebrae=labels,
        bodies=bodies,
        lesion=LabelMap(maps["lesion"], grid),
        cement=LabelMap(maps["cement"], grid),
        leaks=LabelMap(maps["leaks"], grid),
    )


def to_verse(labels: LabelMap, scheme: LabelScheme) -> LabelMap:
    """Return a label map with VerSe numbers, structures other than vertebrae left out."""
    table = np.zeros(int(labels.labels.max()) + 1, dtype=np.uint8)
    for number in labels.numbers():
        level = level_of_number(number, scheme)
        if level is not None and level is not Level.S1:
            table[number] = level.verse_number
    return LabelMap(table[labels.labels], labels.grid)


def _name(number: int) -> str:
    level = level_of_number(number, LabelScheme.VERSE)
    return level.value if level else str(number)


def _site(
    labels: LabelMap, bodies: LabelMap, measured: list[RealVertebra], treatment: Treatment, seed: int
) -> tuple[Site, Lattices, Box]:
    """Return the surroundings of a level on a fine lattice, that lattice, and its block of the CT."""
    wanted = treatment.level.verse_number
    index = next((i for i, v in enumerate(measured) if v.number == wanted), None)
    if index is None:
        raise ValueError(f"{treatment.level} is not whole in the label map")
    v = measured[index]
    along_mm = reach_along_spine_mm(treatment.leaks, measures_of_real(measured, index)) + 4.0
    tall = max(v.half_height_mm + _REACH["ends"], along_mm)
    side = _REACH["side"]
    corners = (
        np.array(
            np.meshgrid(
                (-side, side), (v.front_mm - _REACH["front"], v.wall_mm + _REACH["back"]), (-tall, tall)
            )
        )
        .reshape(3, -1)
        .T
    )
    box = labels.grid.box_around(labels.grid.to_index(v.frame.to_lps(corners)))
    lattices = Lattices.of(labels.grid.crop(box))
    numbers = _refined(labels.labels[box.slices], lattices)
    body = _refined(bodies.labels[box.slices], lattices)
    grid = lattices.fine
    near = measured[max(0, index - 2) : index + 3]
    along = ColumnCoordinates.on(grid, near)
    discs = real_discs(numbers, body, grid.spacing_mm[0])
    borders = borders_of_real(near)
    compartments, places = borders.compartments(along, numbers, body, discs)
    at = local_coordinates(grid, v.frame)
    depth = _signed_distance(body == v.number, grid)
    site = Site(
        number=v.number,
        box=grid.box,
        grid=grid,
        frame=v.frame,
        measures=measures_of_real(measured, index),
        at=at,
        vertebrae=numbers,
        compartments=compartments,
        by_contract=borders.by_contract(along, compartments),
        places=places,
        body_depth_mm=depth,
        outline_mm=depth,
        behind_front_mm=np.asarray(_signed_distance((body > 0) | discs, grid)),
        lesion=np.zeros(grid.shape, dtype=np.bool_),
        solid=np.asarray((numbers > 0) & (numbers != v.number)),
    )
    return replace(site, lesion=_lesion(site, treatment, seed)), lattices, box


def _refined(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], lattices: Lattices
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return labels on the fine lattice, their outlines interpolated rather than stepped."""
    from scipy import ndimage

    out = np.zeros(lattices.fine.shape, dtype=np.uint8)
    best = np.full(lattices.fine.shape, 0.5, dtype=np.float32)
    for number in np.unique(labels):
        if number == 0:
            continue
        share = ndimage.zoom(
            (labels == number).astype(np.float32), lattices.factors, order=1, mode="nearest", grid_mode=True
        )
        out[share >= best] = number
        best = np.maximum(best, share)
    return out


def _signed_distance(mask: BoolArray, grid: Grid) -> Float32Array:
    from scipy import ndimage

    half = float(np.mean(grid.spacing_mm)) / 2
    outside = ndimage.distance_transform_edt(~mask, sampling=grid.spacing_mm).astype(np.float32)
    inside = ndimage.distance_transform_edt(mask, sampling=grid.spacing_mm).astype(np.float32)
    return np.asarray(np.where(mask, half - inside, outside - half), dtype=np.float32)


def _lesion(site: Site, treatment: Treatment, seed: int) -> BoolArray:
    lesion = treatment.lesion
    if lesion is None:
        return np.zeros(site.own.shape, dtype=np.bool_)
    room = site.own_body
    if not lesion.breaks_wall:
        room = room & (site.at[1] < np.float32(site.measures.wall_mm - 3.0))
    m = site.measures
    back = max(lesion.centre[1], 0.6) if lesion.breaks_wall else lesion.centre[1]
    centre = (lesion.centre[0] * m.width_mm / 2, back * m.depth_mm / 2, lesion.centre[2] * m.height_mm / 2)
    at = site.points(room)
    left, behind, up = (a - np.float32(c) for a, c in zip(at, centre, strict=True))
    field = np.sqrt(left**2 + behind**2 + (1.25 * up) ** 2)
    field += 1.6 * smooth_noise(at, seed=(seed, site.number, 4), scale_mm=7.0)
    return grow(np.asarray(field, dtype=np.float32), room, site.voxels_of(lesion.volume_ml))


def _lesion_tissue(site: Site, treatment: Treatment) -> Float32Array:
    """Return the intensity of the lesion's tissue; mixed lesions are sclerotic on one side."""
    tissue = np.full(site.own.shape, TUMOUR_HU, dtype=np.float32)
    kind = treatment.lesion.destruction if treatment.lesion else Destruction.OSTEOLYTIC
    if kind is Destruction.OSTEOBLASTIC:
        tissue[:] = SCLEROSIS_HU
    if kind is Destruction.MIXED and site.lesion.any():
        border = np.percentile(site.at[0][site.lesion], 40)
        tissue[site.at[0] < border] = SCLEROSIS_HU
    return tissue


def _compose(
    image: Float32Array, mask: BoolArray, target: Float32Array, lattices: Lattices, scanner: Scanner
) -> Float32Array:
    """Return a block of CT with `target` where `mask` is, blurred as the scanner would, the noise kept."""
    from scipy import ndimage

    if not mask.any():
        return image
    calm = ndimage.gaussian_filter(image, [1.2 / s for s in lattices.scan.spacing_mm])
    # Under the mask the old intensity is taken away, on the fine lattice, before the new one is put in.
    under = ndimage.zoom(calm, lattices.factors, order=1, mode="nearest", grid_mode=True)
    change = np.where(mask, target - under, np.float32(0.0)).astype(np.float32)
    spacing = lattices.scan.spacing_mm
    as_scanned = replace(
        scanner, pixel_mm=spacing[1], slice_spacing_mm=spacing[0], slice_thickness_mm=spacing[0]
    )
    out = image + scan_fine_volume(change, lattices, as_scanned)
    if scanner.beam_hardening > 0:
        streaks = hardening_error_hu(out, lattices.scan) - hardening_error_hu(image, lattices.scan)
        out = out + np.float32(scanner.beam_hardening) * streaks
    return np.asarray(out, dtype=np.float32)


def _stored(
    image: Float32Array, volume: Volume, scanner: Scanner
) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    top = scanner.clip_hu if scanner.clip_hu is not None else 32767
    stored = np.clip(np.round(image), -1024, top).astype(np.int16)
    # What the implants do not reach stays as it was stored, also beyond the clipping value.
    untouched = np.abs(image - volume.hu) < 0.5
    stored[untouched] = np.asarray(volume.hu)[untouched]
    stored[~volume.measured()] = PADDING_HU
    return stored


def _moved(grid: Grid, movement: Movement) -> Grid:
    """Return the grid of the same voxels after the patient was turned about the grid's middle and shifted."""
    turn = turn_matrix(movement.rotation_deg)
    middle = grid.to_lps([(n - 1) / 2 for n in grid.shape])
    affine = np.eye(4)
    affine[:3, :3] = turn @ grid.affine_lps[:3, :3]
    affine[:3, 3] = turn @ (grid.affine_lps[:3, 3] - middle) + middle + movement.shift_mm
    return Grid.from_affine(affine, grid.shape)


def _all_records(
    measured: list[RealVertebra], records: list[VertebraTruth], bodies: LabelMap
) -> tuple[VertebraTruth, ...]:
    known = {r.number: r for r in records}
    regions = bodies.regions()
    found = []
    for v in measured:
        region = regions.get(v.number)
        if v.number in known or region is None:
            if v.number in known:
                found.append(known[v.number])
            continue
        x, y, z = (float(c) for c in bodies.grid.to_lps(region.indices().mean(axis=0)))
        volume = region.count * bodies.grid.voxel_ml
        cut = region.box.start[0] == 0 or region.box.stop[0] == bodies.grid.shape[0]
        found.append(
            VertebraTruth(
                level=_name(v.number),
                number=v.number,
                complete=not cut,
                treated=False,
                centroid_lps_mm=(x, y, z),
                body_volume_ml=volume,
            )
        )
    return tuple(found)
