"""State of charge of the pack and of every cell, with sigma, and the coulomb count beside it.

One filter follows the mean cell; per cell five differences (SOC, ohmic resistance, 1/capacity,
sensor offset, leak) follow it ("bar-delta": G. L. Plett, EVS-24, 2009), so that errors of current,
OCV table and temperature that all cells share cancel. Arrays in, arrays out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.contract import Outputs, Samples, State, frozen
from bms_studio.estimators.kernel import (
    CELL_STATES,
    CURVE,
    HYPOTHESES,
    STATES,
    B,
    D,
    E,
    F,
    G,
    L,
    M,
    S,
    W,
    Z,
)
from bms_studio.estimators.model import CellModel
from bms_studio.estimators.ocv_error import tables_of
from bms_studio.estimators.soc_loop import SUMS, run
from bms_studio.estimators.soc_state import (
    BINS,
    CONSTANTS,
    FIELDS,
    INTEGERS,
    REALS,
    SLOWEST_SHARE,
    SLOWEST_SIGMA,
)

MODE_START, MODE_RUN = 0, 1
_PACK_COLUMNS = (
    "pack_soc",
    "pack_soc_sigma",
    "coulomb_soc",
    "offset_a",
    "resistance_ohm",
    "correcting",
    "hysteresis",
    "model_error_v",
    "table_scale",
    "restarts",
    "offset_a_sigma",
    "table",
    "table_belief",
)


@dataclass(frozen=True, slots=True)
class Params:
    """What the filter is told. C means: times the capacity in Ah, as a current.

    initial_soc: SOC at the first sample as somebody states it (the BMS), NaN: unknown; its sigma,
    and hint_doubt, the probability that it is wrong altogether; table_doubt: that the OCV table is
    off by five times its sigma. startup_s: how long the hypotheses listen.
    error_v, error_share,
    error_tau_s: circuit error: sigma at rest, share of the polarisation, memory (residuals of
    fitted 2-RC circuits on A123 and E2: 50-200 s). noise_v: one reading, 1 mV resolution and noise.
    skew_s: unknown age between current and cells. offset_c: data sheet of a Hall sensor, 1 % of
    1C; standby_c: what a pack at rest may truly draw. gap_c: current that may have flowed in a gap
    of more than gap_s. missing_c: usual current where none is measured. bleed_a: current of a bleed
    resistor, NaN: unknown, up to 0.1 A. What cells differ in: imbalance_sigma (SOC), spread_r
    (share of R0), spread_capacity, spread_offset_v, spread_leak_per_h (1 mA/Ah). window_s: how
    often cells are corrected and answers given. A temperature that is unknown is taken for 25 degC:
    the resistances, which are estimated too, then follow it.
    """

    model: CellModel
    initial_soc: float = float("nan")
    initial_soc_sigma: float = 0.02
    hint_doubt: float = 0.2
    table_doubt: float = 0.001
    startup_s: float = 60.0
    error_v: float = 0.002
    error_share: float = 0.15
    error_tau_s: float = 200.0
    noise_v: float = 0.0015
    skew_s: float = 0.05
    offset_c: float = 0.01
    standby_c: float = 0.001
    gap_s: float = 120.0
    gap_c: float = 0.05
    missing_c: float = 0.3
    bleed_a: float = float("nan")
    imbalance_sigma: float = 0.03
    spread_r: float = 0.3
    spread_capacity: float = 0.03
    spread_offset_v: float = 0.003
    spread_leak_per_h: float = 0.001
    window_s: float = 5.0


def start(params: Params, cells: int) -> State:
    """The state before the first sample of a string of `cells` cells."""
    model = params.model
    tables = tables_of(model)
    reals = np.zeros(len(REALS))
    reals[REALS.index("alpha")] = 1.0
    reals[REALS.index("table_scale")] = 1.0
    reals[REALS.index("swing")] = 1.0
    reals[REALS.index("pace")] = 1.0
    reals[REALS.index("rest_var")] = (params.offset_c * model.capacity_ah) ** 2
    # What was stated is doubted from the first window on.
    reals[REALS.index("unweighed_way")] = 1.0
    reals[REALS.index("belief")] = tables.belief[0]
    reals[REALS.index("hint")] = params.initial_soc
    reals[REALS.index("hint_sigma")] = params.initial_soc_sigma
    reals[REALS.index("coulomb")] = params.initial_soc
    x, covariance = np.zeros(STATES), np.zeros((STATES, STATES))
    x[S] = SLOWEST_SHARE
    x[Z] = params.initial_soc if np.isfinite(params.initial_soc) else 0.5
    sigmas = np.zeros(STATES)
    sigmas[[Z, F, D, B, G, L, E, M, S, W]] = (
        0.3,
        model.sigma_r,
        model.sigma_r,
        params.offset_c * model.capacity_ah,
        model.capacity_sigma,
        1.2 * model.sigma_r,
        params.error_v,
        model.sigma_hysteresis_v,
        SLOWEST_SIGMA,
        model.sigma_r,
    )
    covariance[np.arange(STATES), np.arange(STATES)] = sigmas**2
    # A cell made for energy has more of every resistance than one made for power.
    for i, j, alike in ((F, D, 0.8), (F, L, 0.4), (D, L, 0.4)):
        covariance[i, j] = covariance[j, i] = alike * sigmas[i] * sigmas[j]
    covariance[CURVE:, CURVE:] = tables.prior[0]
    # A mean of N cells takes 1/N of each cell's spread with it; one cell is its own mean.
    own = 1.0 - 1.0 / cells
    spread = np.array(
        [
            params.imbalance_sigma,
            params.spread_r * model.r0_ohm,
            params.spread_capacity,
            params.spread_offset_v,
            params.spread_leak_per_h * model.capacity_ah,
        ]
    )
    return {
        "integers": np.zeros(len(INTEGERS), np.int64),
        "reals": reals,
        "x": x,
        "covariance": covariance,
        "residuals": np.zeros((len(tables.belief), HYPOTHESES)),
        "cells": np.zeros((cells, CELL_STATES)),
        "cell_covariance": np.tile(np.diag(spread**2 * own), (cells, 1, 1)),
        "sums": np.zeros((cells, SUMS)),
        "usual": np.zeros(cells),
        "belief": np.log(tables.belief[:, None] * _stated(params)),
        "bins": np.zeros((BINS, FIELDS)),
    }


def step(params: Params, state: State, samples: Samples) -> Outputs:
    """The windows of `window_s` that these samples closed, M rows, N cells.

    time_ns: of the last sample in the window; pack_soc, pack_soc_sigma (of the mean cell),
    coulomb_soc (the baseline), offset_a and its sigma, resistance_ohm (ohmic, now), correcting
    (1: voltage corrects SOC, 0: plateau or start-up), hysteresis -1..1, model_error_v,
    table_scale (how much more uncertain than stated the OCV table turned out), restarts (how often
    voltage contradicted the state), table (the one that the filter follows: 0 the model's, from 1
    on its rivals') and table_belief, the probability of it among all; and float32 (M, N):
    soc, soc_sigma, resistance_difference_ohm, its _sigma, capacity_difference (relative), its
    _sigma, offset_v.
    """
    cells = samples.cells_v.shape[1]
    if cells != len(state["cells"]):
        raise ValueError(f"the state is for {len(state['cells'])} cells, not {cells}")
    balancing = samples.balancing
    has_balancing = int(balancing.strides != (0, 0))
    if not has_balancing:
        balancing = np.zeros((1, 1), np.float32)
    room = _windows(params, state, samples)
    time = np.zeros(room, np.int64)
    pack = np.zeros((room, len(_PACK_COLUMNS)))
    table = np.zeros((7, room, cells), np.float32)
    model = params.model
    tables = tables_of(model)
    count = run(
        samples.time_ns,
        samples.current_a,
        samples.cells_v,
        samples.temperature_degc,
        balancing,
        has_balancing,
        _constants(params),
        tables.ocv_v,
        model.docv_dt_v_per_k,
        model.r_shape,
        tables.doubts,
        tables.prior,
        tables.plateau,
        state["integers"],
        state["reals"],
        state["x"],
        state["covariance"],
        state["residuals"],
        state["cells"],
        state["cell_covariance"],
        state["sums"],
        state["usual"],
        state["belief"],
        state["bins"],
        time,
        pack,
        table,
    )
    columns = {name: pack[:count, i] for i, name in enumerate(_PACK_COLUMNS)}
    names = (
        "soc",
        "soc_sigma",
        "resistance_difference_ohm",
        "resistance_difference_ohm_sigma",
        "capacity_difference",
        "capacity_difference_sigma",
        "offset_v",
    )
    return frozen(
        time_ns=time[:count],
        **columns,
        **{name: table[i, :count] for i, name in enumerate(names)},
    )


def _stated(params: Params) -> NDArray[np.float64]:
    """(HYPOTHESES,) probability of every SOC at the start, before any voltage."""
    even = np.full(HYPOTHESES, 1.0 / HYPOTHESES)
    if not np.isfinite(params.initial_soc):
        return even
    width = np.hypot(params.initial_soc_sigma, 0.005)
    apart = (np.linspace(0.0, 1.0, HYPOTHESES) - params.initial_soc) / width
    held = np.maximum(np.exp(-0.5 * apart**2), 1e-300)
    return np.asarray(
        (1 - params.hint_doubt) * held / held.sum() + params.hint_doubt * even, np.float64
    )


def _windows(params: Params, state: State, samples: Samples) -> int:
    """How many windows these samples can close at most."""
    if not len(samples):
        return 0
    width = round(params.window_s * 1e9)
    span = int(samples.time_ns[-1]) // width - int(samples.time_ns[0]) // width
    return int(min(len(samples), span + 1)) + 1


def _constants(params: Params) -> NDArray[np.float64]:
    values = {
        name: float(getattr(params, name) if hasattr(params, name) else getattr(params.model, name))
        for name in CONSTANTS
    }
    return np.array([values[name] for name in CONSTANTS])
