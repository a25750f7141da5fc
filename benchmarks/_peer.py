"""An extended Kalman filter written by somebody else, on the same data: filterpy, where installed.

The model is ours (open-circuit table, ohmic resistance, two RC pairs) so that only the estimators
differ; noise as is usual for such a filter: 10 mV per reading, taken as white.
"""

import importlib.util
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.model import CellModel, resistance_factor

INSTALLED = importlib.util.find_spec("filterpy") is not None


def follow(
    model: CellModel,
    time_s: NDArray[np.float64],
    current_a: NDArray[np.float64],
    voltage_v: NDArray[np.float64],
    temperature_degc: float,
    stated: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """SOC and its sigma at every sample, and microseconds per step."""
    from filterpy.kalman import ExtendedKalmanFilter

    factor = float(resistance_factor(model, 0.5, temperature_degc))
    slope = np.gradient(model.ocv_v, model.soc)
    kalman: Any = ExtendedKalmanFilter(dim_x=3, dim_z=1)
    kalman.x = np.array([stated, 0.0, 0.0])
    kalman.P = np.diag([0.2**2, 0.01, 0.01])
    kalman.R = np.array([[0.01**2]])
    current = 0.0

    def jacobian(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array(
            [
                [
                    np.interp(x[0], model.soc, slope),
                    -model.r1_ohm * factor,
                    -model.r2_ohm * factor,
                ]
            ]
        )

    def voltage(x: NDArray[np.float64]) -> NDArray[np.float64]:
        rest = np.interp(x[0], model.soc, model.ocv_v)
        drop = model.r0_ohm * current + model.r1_ohm * x[1] + model.r2_ohm * x[2]
        return np.array([rest - factor * drop])

    soc, sigma = np.empty(len(time_s)), np.empty(len(time_s))
    begin = time.process_time()
    for k in range(len(time_s)):
        dt = time_s[k] - time_s[k - 1] if k else 0.0
        keep = np.exp(-dt / np.array([model.tau1_s, model.tau2_s]))
        before, current = current, float(current_a[k])
        mean = 0.5 * (before + current)
        kalman.F = np.diag([1.0, *keep])
        kalman.B = np.array([-dt / (3600 * model.capacity_ah), *(1 - keep)])
        kalman.Q = np.diag([1e-10, 1e-6, 1e-6]) * max(dt, 1e-3)
        kalman.x = kalman.F @ kalman.x + kalman.B * mean
        kalman.P = kalman.F @ kalman.P @ kalman.F.T + kalman.Q
        kalman.update(np.array([voltage_v[k]]), jacobian, voltage)
        soc[k], sigma[k] = kalman.x[0], np.sqrt(kalman.P[0, 0])
    return soc, sigma, 1e6 * (time.process_time() - begin) / len(time_s)
