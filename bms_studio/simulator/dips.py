"""Short disturbances of cell readings: intermittent dips, and chatter of a loose sense contact.

An intermittent cell drops 20 to 80 mV for 20 ms. A loose joint also clamps its sense wire badly:
while the vehicle moves, the wire's potential jumps, so that the cells on both sides of it deviate
by the same amount in opposite directions. Knows cells and seconds only.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bms_studio.simulator.faults import Fault

Floats = NDArray[np.float64]

LENGTH_S = 0.020
_MEAN_PAUSE_S = {"intermittent": 7.0, "connection": 11.0}
_RANGE_V = (0.020, 0.080)
_VIBRATION_A = 3.0  # less current than this: standing still, nothing rattles


@dataclass(slots=True)
class Dips:
    """Disturbances of one fault: those drawn and not yet over, and when the next begins."""

    fault: Fault
    random: np.random.Generator
    next_s: float
    pending: list[tuple[float, float]] = field(default_factory=list)  # start in s, depth in V


def build_dips(faults: tuple[Fault, ...], seed: int) -> list[Dips]:
    """One source of dips per fault that makes any; each has its own random numbers."""
    sources = []
    for number, fault in enumerate(faults):
        if fault.kind in _MEAN_PAUSE_S:
            random = np.random.default_rng((seed, 77, number))
            sources.append(Dips(fault, random, float(random.exponential(3.0))))
    return sources


def advance_dips(sources: list[Dips], until_s: float) -> None:
    """Draw all dips that begin before `until_s`; forget those that ended well before."""
    for source in sources:
        source.pending = [dip for dip in source.pending if dip[0] > until_s - 5.0]
        while source.next_s < until_s:
            depth = source.random.uniform(*_RANGE_V)
            if source.fault.kind == "intermittent":
                depth *= source.fault.size
            else:
                depth *= source.random.choice((-1.0, 1.0))
            # A growing fault dips more often, not less deep.
            if source.random.random() < source.fault.share(source.next_s):
                source.pending.append((source.next_s, float(depth)))
            pause = source.random.exponential(_MEAN_PAUSE_S[source.fault.kind])
            source.next_s += LENGTH_S + 0.5 + float(pause)


def dip_voltages(
    sources: list[Dips],
    volts: Floats,
    index: NDArray[np.int64],
    start_s: float,
    step_s: float,
    current_a: Floats,
) -> Floats:
    """`volts` (S, N) with the dips of this block in them; changed in place and handed back.

    index: (S, N) grid point of each sample; current_a: (S, N) string current at each.
    """
    for source in sources:
        k = source.fault.cell - 1
        for begin_s, depth_v in source.pending:
            first = round((begin_s - start_s) / step_s)
            last = first + round(LENGTH_S / step_s)
            hit = (index[:, k] >= first) & (index[:, k] < last)
            if source.fault.kind == "intermittent":
                volts[hit, k] -= depth_v
            else:
                beside = (index[:, k + 1] >= first) & (index[:, k + 1] < last)
                volts[hit & (np.abs(current_a[:, k]) > _VIBRATION_A), k] -= depth_v
                volts[beside & (np.abs(current_a[:, k + 1]) > _VIBRATION_A), k + 1] += depth_v
    return volts


def dip_times(sources: list[Dips], kind: str) -> list[tuple[float, float]]:
    """Start (s) and depth (V) of the dips of `kind` in the last seconds: the truth for tests."""
    return [dip for source in sources if source.fault.kind == kind for dip in source.pending]
