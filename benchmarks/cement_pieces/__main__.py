"""Learn which dense pieces are cement (`piece_trees.npz` of the cement search), from pieces of known truth.

Usage: python -m benchmarks.cement_pieces [--jobs N]

Needs scikit-learn beside what the tests need. Takes the tuning half of the accuracy bench and more cases like
it, which are made where they are not in the cache: about half an hour on two cores. Pieces are kept in
``.cache/cement-pieces`` under a fingerprint of the code, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import pickle
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "CEMENTCT_THREADS",
):
    os.environ.setdefault(_name, "1")

import numpy as np

from benchmarks.accuracy.cases import ROOT, Recipe, cache_file, keep, load
from benchmarks.accuracy.running import code_digest
from benchmarks.cement_pieces.learning import learn, probability_left_out, table
from benchmarks.cement_pieces.samples import SETTINGS, Sample, learning_recipes, samples_of
from cementct.segmentation.cement import piece_model
from cementct.segmentation.cement.piece_rules import LEAST_PROBABILITY, LEAST_PROBABILITY_OUTLINED

CACHE = ROOT / ".cache" / "cement-pieces"


def main() -> None:
    """Collect, learn, write, and print what is told apart by trees that did not see the case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    jobs = parser.parse_args().jobs
    with ProcessPoolExecutor(jobs) as pool:
        samples = [s for found in pool.map(_collect, learning_recipes()) for s in found]
    target = Path(piece_model.__file__).with_name("piece_trees.npz")
    np.savez_compressed(target, **learn(samples))  # type: ignore[arg-type]
    probability = probability_left_out(samples)
    _, truth, _ = table(samples)
    for setting in SETTINGS:
        mine = np.array([s.setting == setting for s in samples])
        least = LEAST_PROBABILITY_OUTLINED if setting.startswith("embedded") else LEAST_PROBABILITY
        taken = mine & (probability >= least)
        print(
            f"{setting}: {(taken & truth).sum()} of {(mine & truth).sum()} pieces of cement taken, "
            f"{(taken & ~truth).sum()} of {(mine & ~truth).sum()} others"
        )


def _collect(recipe: Recipe) -> list[Sample]:
    """Return the pieces of one case, from the cache where case and code are the same as then."""
    # What is decided about pieces does not change how they are described.
    file = CACHE / f"{cache_file(recipe).stem}-{code_digest()}.pieces"
    if file.is_file():
        return _read(file)
    try:
        case = load(recipe)
        found = samples_of(case) if case is not None and not case.series else []
    except Exception:  # noqa: BLE001 - said in full; the others go on
        print(f"{recipe.name} broke:\n{traceback.format_exc()}", flush=True)
        return []
    keep(file, found)
    print(f"{recipe.name}: {len(found)} pieces", flush=True)
    return found


def _read(file: Path) -> list[Sample]:
    import zlib

    found: list[Sample] = pickle.loads(zlib.decompress(file.read_bytes()))  # noqa: S301 - written by `keep`
    return found


if __name__ == "__main__":
    main()
