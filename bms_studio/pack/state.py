"""What the pack is doing: rest, ride or charge, with hysteresis so that the word does not flicker.

Arrays and numbers only.
"""

import math

_REST_A = 0.5
_MOVE_A = 1.0
# Regeneration comes out of a ride and is short; from rest, charge is charge.
_CHARGE_HOLD_S = {"ride": 8.0, "rest": 1.5, "charge": 0.0, "": 0.0}


class StateOfUse:
    """Feed it current (+ = discharge) over time; `state` is "", "rest", "ride" or "charge".

    Regeneration is charge too, but short: after a ride the word is "charge" only after seconds.
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
        elif (
            self._charging_since_ns
            and time_ns - self._charging_since_ns >= _CHARGE_HOLD_S[self.state] * 1e9
        ):
            self.state = "charge"
        return self.state
