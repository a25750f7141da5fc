"""Does the sign of the current agree with the voltage? A step up in discharge must pull it down.

Arrays in, a word out: "unverified", "agrees" or "contradicts". An unverified sign blocks verdicts
about current, never recording.
"""

import numpy as np
from numpy.typing import NDArray

_STEP_A = 3.0
_STEP_V = 0.01
_NEEDED = 6
_SHARE = 0.85
# Fewer than nearly all: current and voltage are hardly of one moment, or of one pack.
_SURE_SHARE, _SURE_STEPS = 0.95, 20


class SignCheck:
    """Counts steps that speak for and against; current + = discharge."""

    def __init__(self) -> None:
        self._agree = 0
        self._against = 0
        self._last = (np.nan, np.nan)

    def push(self, current_a: NDArray[np.float32], voltage_v: NDArray[np.float32]) -> None:
        """Rows of one time base (M,), in order; rows where either is unknown are left out."""
        known = ~(np.isnan(current_a) | np.isnan(voltage_v))
        current = np.concatenate([[self._last[0]], current_a[known]])
        voltage = np.concatenate([[self._last[1]], voltage_v[known]])
        if len(current) < 2:
            return
        self._last = (float(current[-1]), float(voltage[-1]))
        step_a, step_v = np.diff(current), np.diff(voltage)
        with np.errstate(invalid="ignore"):
            clear = (np.abs(step_a) > _STEP_A) & (np.abs(step_v) > _STEP_V)
            self._agree += int(np.count_nonzero(clear & (step_a * step_v < 0)))
            self._against += int(np.count_nonzero(clear & (step_a * step_v > 0)))

    @property
    def counts(self) -> tuple[int, int]:
        """Clear steps that agreed with the sign, and that spoke against it."""
        return self._agree, self._against

    @property
    def state(self) -> str:
        """What the steps so far say."""
        total = self._agree + self._against
        if total < _NEEDED:
            return "unverified"
        if self._agree >= _SHARE * total:
            return "agrees"
        return "contradicts" if self._against >= _SHARE * total else "unverified"

    @property
    def sure(self) -> bool:
        """Whether many steps agree and hardly any speaks against: what counts charge may use it."""
        total = self._agree + self._against
        return total >= _SURE_STEPS and self._agree >= _SURE_SHARE * total
