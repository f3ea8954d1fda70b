"""Volumes of cement per vertebra, with intervals that hold the truth nine times in ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cementct.anatomy.model import Compartment, Spine, Vertebra
from cementct.core.arrays import BoolArray
from cementct.metrics.volume_interval import interval_90_ml, unseen_in
from cementct.segmentation.model import Cement

# Deposits of one vertebra share their plateau and sharpness, so their errors add rather than cancel: the
# correlation assumed between any two.
CORRELATION_OF_ERRORS = 0.5


@dataclass(frozen=True)
class CementVolumes:
    """The cement that came from one vertebra.

    Attributes
    ----------
    volume_ml, ci90_ml
        All of it, leaked or not, and its 90 % interval.
    sd_ml
        Standard deviation of measuring it.
    in_body_ml, in_pedicle_ml
        What lies in its own body and pedicles.
    body_volume_ml
        Of its body; None where the scan cuts it.
    ratio
        Cement in the body over the body's volume, or None.
    """

    volume_ml: float
    ci90_ml: tuple[float, float]
    sd_ml: float
    in_body_ml: float
    in_pedicle_ml: float
    body_volume_ml: float | None
    ratio: float | None


def measure_cement(cement: Cement, spine: Spine) -> dict[int, CementVolumes]:
    """Return the volumes of every vertebra that cement came from, by number.

    Parameters
    ----------
    cement
        All cement in a volume.
    spine
        The vertebrae of that volume, on the same grid.
    """
    voxel_ml = spine.grid.voxel_ml
    amount = np.bincount(cement.owner.ravel(), weights=cement.fraction.ravel())
    found = {}
    for vertebra in spine.vertebrae:
        number = vertebra.number
        if number >= amount.size or amount[number] <= 0:
            continue
        volume_ml = float(amount[number]) * voxel_ml
        sd_ml = _sd_ml(cement, number)
        own = cement.owner == number
        body = vertebra.body.in_box(cement.box)
        in_body_ml = float(cement.fraction[own & body].sum(dtype=np.float64)) * voxel_ml
        pedicles = _pedicles(cement, spine, vertebra) & ~body
        body_ml = vertebra.body.count * voxel_ml if vertebra.complete else None
        found[number] = CementVolumes(
            volume_ml=volume_ml,
            ci90_ml=interval_90_ml(volume_ml, sd_ml, unseen_in(cement, vertebra, volume_ml)),
            sd_ml=sd_ml,
            in_body_ml=in_body_ml,
            in_pedicle_ml=float(cement.fraction[own & pedicles].sum(dtype=np.float64)) * voxel_ml,
            body_volume_ml=body_ml,
            ratio=in_body_ml / body_ml if body_ml else None,
        )
    return found


def _sd_ml(cement: Cement, number: int) -> float:
    """Return the standard deviation of the sum of a vertebra's share in all deposits."""
    shares = np.bincount(
        cement.deposits[cement.owner == number].ravel(),
        weights=cement.fraction[cement.owner == number].ravel(),
    )
    totals = np.bincount(cement.deposits.ravel(), weights=cement.fraction.ravel())
    sds = np.array(
        [
            deposit.volume_sd_ml * shares[deposit.number] / totals[deposit.number]
            for deposit in cement.properties
            if deposit.number < shares.size and shares[deposit.number] > 0
        ]
    )
    independent = float((sds**2).sum())
    together = float(sds.sum()) ** 2
    return float(np.sqrt((1 - CORRELATION_OF_ERRORS) * independent + CORRELATION_OF_ERRORS * together))


def _pedicles(cement: Cement, spine: Spine, vertebra: Vertebra) -> BoolArray:
    """Return the vertebra's own pedicles on the cement's box."""
    found = np.zeros(cement.box.shape, dtype=np.bool_)
    common = cement.box.intersection(spine.compartments.box)
    if common.is_empty:
        return found
    here = common.within(spine.compartments.box)
    pedicle = np.isin(
        spine.compartments.compartment[here], [int(Compartment.PEDICLE_LEFT), int(Compartment.PEDICLE_RIGHT)]
    )
    pedicle &= spine.compartments.place[here] == vertebra.position + 1
    found[common.within(cement.box)] = pedicle
    return found
