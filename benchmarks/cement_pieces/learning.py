"""Boosted trees of the pieces, and their nodes as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cement_pieces.samples import CEMENT_SHARE, Sample
from cementct.segmentation.cement.piece_model import DIRECTIONS

# Small trees that add up slowly; fewer pieces than this end no branch. Chosen by cross-validation over cases.
TREES, ENDS, RATE, FEWEST_PIECES, RIDGE = 120, 8, 0.08, 8, 1.0
FOLDS = 8
ARRAYS = ("roots", "variable", "threshold", "left", "right", "value")


def table(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return variables, truth and the number of each piece's case."""
    names = sorted({s.case for s in samples})
    values = np.array([s.variables for s in samples])
    truth = np.array([s.cement_share > CEMENT_SHARE for s in samples])
    return values, truth, np.array([names.index(s.case) for s in samples])


def new_model():  # type: ignore[no-untyped-def]
    """Return trees that nothing was learned by yet."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=TREES,
        max_leaf_nodes=ENDS,
        learning_rate=RATE,
        min_samples_leaf=FEWEST_PIECES,
        l2_regularization=RIDGE,
        monotonic_cst=list(DIRECTIONS.values()),
        early_stopping=False,
        random_state=0,
    )


def probability_left_out(samples: Sequence[Sample]) -> np.ndarray:
    """Return each piece's probability by trees that saw no piece of its case."""
    from sklearn.model_selection import GroupKFold, cross_val_predict

    values, truth, case = table(samples)
    folds = GroupKFold(FOLDS)
    return np.asarray(
        cross_val_predict(new_model(), values, truth, groups=case, cv=folds, method="predict_proba")[:, 1]
    )


def learn(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Return the nodes of trees that learned from all pieces, as `piece_trees.npz` keeps them."""
    values, truth, _ = table(samples)
    model = new_model().fit(values, truth)
    found: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    first = 0
    start = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001 - scikit-learn has no public access
    for number, (tree,) in enumerate(model._predictors):  # noqa: SLF001
        nodes = tree.nodes
        end = nodes["is_leaf"].astype(bool)
        found["roots"].append(np.array([first]))
        found["variable"].append(np.where(end, -1, nodes["feature_idx"]))
        found["threshold"].append(np.where(end, 0.0, nodes["num_threshold"]))
        found["left"].append(np.where(end, 0, nodes["left"] + first))
        found["right"].append(np.where(end, 0, nodes["right"] + first))
        found["value"].append(np.where(end, nodes["value"] + (start if number == 0 else 0.0), 0.0))
        first += len(nodes)
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return {n: v.astype(np.float64 if n in ("threshold", "value") else np.int32) for n, v in whole.items()}
