"""What the pack is doing: rest, ride or charge, with hysteresis so that the word does not flicker.

Arrays and numbers only.
"""

import math

_REST_A = 0.5
_MOVE_A = 1.0
_CHARGE_HOLD_S = 8.0


class StateOfUse:
    """Feed it current (+ = discharge) over time; `state` is "", "rest", "ride" or "charge".

    Regeneration is charge too, but short: the word is "charge" only after some seconds of it.
    """

    def __init__(self) -> None:
        self.state = ""
        self._charging_since_ns = 0

    def update(self, time_ns: int, current_a: float) -> str:
        """The state after a sample; an unknown current changes nothing."""
        if math.isnan(current_a):
            return self.state
        if current_a > -_MOVE_A:
            self._charging_since_ns = 0
        elif not self._charging_since_ns:
            self._charging_since_ns = time_ns
        if current_a > _MOVE_A:
            self.state = "ride"
        elif abs(current_a) < _REST_A:
            self.state = "rest"
        elif self._charging_since_ns and time_ns - self._charging_since_ns > _CHARGE_HOLD_S * 1e9:
            self.state = "charge"
        elif not self.state:
            self.state = "charge" if current_a < 0 else "ride"
        return self.state
