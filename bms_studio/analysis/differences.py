"""Differences between cells by every table that may be theirs: where only the family is known.

With a chemistry that was stated or recognised there is one table and this is `leak.solve`. Where
the voltages say no more than "some 4.2 V oxide", the likeliest tables answer each for itself, with
the capacity that each needs; the answer is their mean and sigma holds what they disagree by.
No files, no Qt.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.basis import Ground
from bms_studio.estimators import leak
from bms_studio.estimators.contract import Outputs, frozen
from bms_studio.pack.kin import first_soc

Floats = NDArray[np.float64]


def differences(
    ground: Ground, windows: Outputs, soc: tuple[float, float], offset_a: float, bleed_a: float
) -> dict[str, Floats]:
    """What `leak.solve` answers, (N,) each with its `_sigma`, over the tables of the ground.
    soc: of the mean cell in the first window by the model's table, with its sigma."""
    params = leak.Params(ground.model, bleed_a=bleed_a)
    answers = [leak.solve(params, windows, soc[0], soc[1], offset_a)]
    weights = [1.0]
    time = (windows["time_ns"] - windows["time_ns"][0]) * 1e-9
    seen = ~np.isnan(windows["cell_v"]).all(axis=1)
    volts = np.nanmedian(windows["cell_v"][seen], axis=1)
    for weight, model in ground.others:
        amps = windows["current_a"][seen]
        first = first_soc(model.soc, model.ocv_v, model.capacity_ah, time[seen], volts, amps)
        if math.isnan(first):
            continue
        other = leak.Params(model, bleed_a=bleed_a)
        answers.append(leak.solve(other, windows, first, soc[1], offset_a))
        weights.append(weight)
    return mixed(answers, weights)


def mixed(answers: list[dict[str, Floats]], weights: list[float]) -> dict[str, Floats]:
    """Mean and sigma of the mixture of these answers, of everything that has a sigma."""
    if len(answers) == 1:
        return answers[0]
    share = np.array(weights)[:, None] / sum(weights)
    out = {}
    for name in (n for n in answers[0] if f"{n}_sigma" in answers[0]):
        values = np.stack([answer[name] for answer in answers])
        sigmas = np.stack([answer[f"{name}_sigma"] for answer in answers])
        mean = (share * values).sum(axis=0)
        out[name] = mean
        out[f"{name}_sigma"] = np.sqrt((share * (sigmas**2 + (values - mean) ** 2)).sum(axis=0))
    return out


def with_tables(ground: Ground, answers: Outputs) -> Outputs:
    """What `soc.step` answers, its sigmas with what the tables of a family disagree by."""
    if not len(ground.table_sigma):
        return answers
    apart = table_sigma(ground, answers["pack_soc"])
    pack = np.hypot(answers["pack_soc_sigma"], apart).astype(answers["pack_soc_sigma"].dtype)
    cells = np.hypot(answers["soc_sigma"], apart[:, None]).astype(answers["soc_sigma"].dtype)
    return frozen(**{**answers, "soc_sigma": cells, "pack_soc_sigma": pack})


def table_sigma(ground: Ground, soc: NDArray[Any]) -> Floats:
    """Of an SOC (M,) of a family's likeliest table; zero with one table."""
    if not len(ground.table_sigma):
        return np.zeros(np.shape(soc))
    return np.asarray(np.interp(soc, ground.chemistry.soc, ground.table_sigma), np.float64)
