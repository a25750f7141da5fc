"""How fast a shift of 1 mV is found, at 1 kHz, 10 Hz and 1 Hz, beside Lorden's bound.

The change-point test that `diagnosis/shifts.py` uses, on white noise of a typical front end with a
resolution of 1 mV, for the false-alarm rate that it uses and for a looser one that can be counted.
The bound is the least mean delay that any test can have; see `numerics/change_points.py`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.shifts import SAMPLES_BETWEEN_FALSE_ALARMS
from bms_studio.numerics.change_points import ShiftState, find_shifts, lorden_bound

SHIFT_V, NOISE_V, LSB_V = 0.001, 0.0007, 0.001
CELLS = 200
RATES_HZ = (1000.0, 10.0, 1.0)


def readings(
    rate_hz: float, after: int, shift_v: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Deviations of independent cells: quiet long enough to be learned, then shifted."""
    rng = np.random.default_rng(seed)
    quiet = int(max(200, 26 * rate_hz + 200))
    values = rng.normal(0, NOISE_V, (quiet + after, CELLS)) + rng.uniform(-0.01, 0.01, CELLS)
    values[quiet:] += shift_v
    values = np.round(values / LSB_V) * LSB_V
    time = 1_700_000_000_000_000_000 + np.round(np.arange(quiet + after) / rate_hz * 1e9).astype(
        np.int64
    )
    return time, values.astype(np.float32), quiet


def alarms(
    time: NDArray[np.int64], values: NDArray[np.float32], false_alarm_samples: float
) -> list[tuple[int, int, int, float, float]]:
    """Shifts found with steady current and level."""
    state = ShiftState(SHIFT_V, false_alarm_samples)
    rows = len(time)
    level, current = np.full(rows, 3.7, np.float32), np.zeros(rows, np.float32)
    return find_shifts(state, time, values, level, current, np.ones(rows, np.bool_))


def delays(rate_hz: float, false_alarm_samples: float) -> tuple[NDArray[np.float64], int]:
    """Samples from the shift to its alarm, of the cells that raised one; cells that raised none."""
    out = []
    for seed in range(5):
        time, values, quiet = readings(rate_hz, 400, SHIFT_V, seed)
        first: dict[int, int] = {}
        for column, _, when, _, _ in alarms(time, values, false_alarm_samples):
            row = int(np.searchsorted(time, when))
            if row >= quiet:
                first.setdefault(column, row - quiet + 1)
        out += list(first.values())
    return np.array(out), 5 * CELLS - len(out)


def main() -> None:
    """Print the delays and the false alarms."""
    sigma = float(np.hypot(NOISE_V, LSB_V / np.sqrt(12)))
    print(f"Shift {1e3 * SHIFT_V:.0f} mV, noise {1e3 * NOISE_V:.1f} mV, resolution 1 mV")
    print("rate      false alarms     bound   mean   median    p95   not found")
    for false_alarm_samples in (1e6, SAMPLES_BETWEEN_FALSE_ALARMS):
        bound = lorden_bound(SHIFT_V, sigma, false_alarm_samples)
        for rate_hz in RATES_HZ:
            found, missed = delays(rate_hz, false_alarm_samples)
            figures = [bound, found.mean(), np.median(found), np.percentile(found, 95)]
            words = " ".join(f"{1e3 * v / rate_hz:7.0f}" for v in figures)
            every = f"1 in {false_alarm_samples:.0e}"
            print(f"{rate_hz:5.0f} Hz  {every}  {words} ms   {missed} of {5 * CELLS}")
    time, values, _ = readings(10.0, 50_000, 0.0, 9)
    for false_alarm_samples in (1e3, 1e4, 1e5):
        count = len(alarms(time, values, false_alarm_samples))
        samples = values.size
        print(f"Asked for one in {false_alarm_samples:.0e}: {count} in {samples:.1e} samples")


if __name__ == "__main__":
    main()
