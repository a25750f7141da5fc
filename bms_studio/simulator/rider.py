"""Who draws the current: a rider on a light electric scooter, and the charger in between.

A plan of rest, charge and ride; inside a ride a route of speeds and slopes, whose current follows
from the vehicle's motion. Deterministic from a seed. It sees the pack as a vehicle does: its
voltage and what its BMS allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The vehicle, for a pack of 20 cells of 31 Ah; other packs scale it by their energy.
_MASS_KG = 190.0
_ROLLING = 0.014
_DRAG_AREA_M2 = 0.60
_AIR_KG_M3 = 1.2
_GRAVITY = 9.81
_EFFICIENCY = 0.87
_REGEN_EFFICIENCY = 0.55
_POWER_PER_AH_V = 2.05  # largest draw in A per Ah of capacity
_REGEN_PER_AH = 0.36
_SLEW_PER_AH_S = 25.0  # the controller's fastest change, A per Ah and s
_AUX_A = 0.45
_STANDBY_A = 0.02
_CHARGE_PER_AH = 0.40


@dataclass(frozen=True, slots=True)
class Leg:
    """Part of a route: hold `speed_kmh` on a slope of `grade` (0.05 = 5 %) for `seconds`."""

    seconds: float
    speed_kmh: float
    grade: float = 0.0


@dataclass(frozen=True, slots=True)
class Phase:
    """Part of a plan: `what` is rest, charge or ride; a ride has its legs or draws its own."""

    what: str
    seconds: float
    legs: tuple[Leg, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rider and the charger can see. Limits in A, >= 0; cell_high_v: the highest cell."""

    pack_v: float
    ohm: float
    full_v: float
    charge_limit_a: float
    discharge_limit_a: float
    soc: float


# Ten minutes that show one thing after another. The first twenty seconds have a bit of each (rest,
# charge, a launch on which the weak cell sags): most people look no longer. Then a longer charge, a
# long hill, regeneration, stop and go, and an even cruise to look closely.
STORY = (
    Phase("rest", 3.0),
    Phase("charge", 5.0),
    Phase("rest", 2.0),
    Phase("ride", 73.0, (Leg(28, 45), Leg(10, 0), Leg(35, 60))),
    Phase("rest", 7.0),
    Phase("charge", 43.0),
    Phase("rest", 10.0),
    Phase(
        "ride",
        457.0,
        (
            Leg(25, 38),
            Leg(55, 45, 0.075),
            Leg(30, 40, -0.06),
            Leg(8, 0),
            Leg(14, 30),
            Leg(6, 0),
            Leg(14, 35),
            Leg(7, 0),
            Leg(90, 60),
            Leg(12, 25),
            Leg(45, 50, 0.06),
            Leg(25, 45, -0.05),
            Leg(9, 0),
            Leg(40, 61),
            Leg(9, 0),
            Leg(78, 57),
        ),
    ),
)
_CITY_KMH = (25.0, 30.0, 45.0, 45.0, 50.0, 60.0, 70.0)
_GRADES = (0.0, 0.0, 0.0, 0.02, 0.05, 0.08, -0.03, -0.06)


@dataclass(slots=True, eq=False)
class Rider:
    """Where in the plan we are, and the vehicle's motion."""

    capacity_ah: float
    cells: int
    random: np.random.Generator
    plan: list[Phase]
    legs: list[Leg] = field(default_factory=list)
    phase_left_s: float = 0.0
    leg_left_s: float = 0.0
    speed_m_s: float = 0.0
    unrest: float = 0.0
    current_a: float = 0.0

    @property
    def what(self) -> str:
        """rest, charge or ride."""
        return self.plan[0].what


def build_rider(capacity_ah: float, cells: int, seed: int, plan: Sequence[Phase]) -> Rider:
    """A rider who follows `plan` (such as STORY), then rides and charges at random for ever."""
    first = list(plan) or [Phase("rest", 3.0), Phase("ride", 900.0)]
    rider = Rider(capacity_ah, cells, np.random.default_rng((seed, 9)), first)
    _begin(rider)
    return rider


def demand(rider: Rider, see: Outlook, steps: int, step_s: float) -> Floats:
    """String current (steps,) in A, + = discharge, for the next `steps` * `step_s` seconds."""
    duration_s = steps * step_s
    _follow_plan(rider, see, duration_s)
    if rider.what == "ride":
        target = _drive(rider, see, duration_s)
    elif rider.what == "charge":
        target = -_charger(rider, see)
    else:
        target = _STANDBY_A
        rider.speed_m_s = 0.0
    if target > 0.0:
        target = min(target, see.discharge_limit_a)
    slew = _SLEW_PER_AH_S * rider.capacity_ah * step_s
    change = np.clip(target - rider.current_a, -slew * steps, slew * steps)
    ramp = np.minimum(slew * np.arange(1, steps + 1), abs(change)) * np.sign(change)
    current: Floats = rider.current_a + ramp
    rider.current_a = float(current[-1])
    if rider.what == "ride" and abs(target) > 1.0:
        # torque ripple of the motor, which the pack's electronics see as noise
        current = current * (1.0 + 0.006 * rider.random.standard_normal(steps))
    if see.discharge_limit_a <= 0.0:
        current, rider.current_a = np.minimum(current, 0.0), min(rider.current_a, 0.0)
    if see.charge_limit_a <= 0.0:
        current, rider.current_a = np.maximum(current, 0.0), max(rider.current_a, 0.0)
    return current


def _begin(rider: Rider) -> None:
    rider.phase_left_s = rider.plan[0].seconds
    rider.legs = list(rider.plan[0].legs)
    rider.leg_left_s = rider.legs[0].seconds if rider.legs else 0.0


def _follow_plan(rider: Rider, see: Outlook, duration_s: float) -> None:
    rider.phase_left_s -= duration_s
    empty = rider.what == "ride" and (see.discharge_limit_a < 0.15 * rider.capacity_ah)
    full = rider.what == "charge" and _charger(rider, see) < 0.03 * rider.capacity_ah
    if rider.phase_left_s > 1e-9 and not (empty or full):
        return
    done = rider.plan.pop(0)
    if not rider.plan:
        rider.plan = _more(rider, done.what, see, empty)
    _begin(rider)


def _more(rider: Rider, done: str, see: Outlook, empty: bool) -> list[Phase]:
    """What comes when the plan is at its end: rides until low, then a rest and a charge."""
    draw = rider.random.uniform
    pause = Phase("rest", float(draw(20.0, 90.0)))
    if done == "ride" and (empty or see.soc < 0.25):
        return [pause, Phase("charge", float(draw(3000.0, 12000.0)))]
    return [pause, Phase("ride", float(draw(600.0, 1800.0)))]


def _next_leg(rider: Rider, duration_s: float) -> Leg:
    rider.leg_left_s -= duration_s
    if rider.leg_left_s <= 0.0:
        if rider.legs:
            rider.legs.pop(0)
        if not rider.legs:
            rider.legs = _draw_legs(rider)
        rider.leg_left_s = rider.legs[0].seconds
    return rider.legs[0]


def _draw_legs(rider: Rider) -> list[Leg]:
    """A stretch of road and, often, a stop after it."""
    random = rider.random
    speed, grade = float(random.choice(_CITY_KMH)), float(random.choice(_GRADES))
    legs = [Leg(float(random.uniform(10.0, 70.0)), min(speed, 50.0) if grade else speed, grade)]
    if random.random() < 0.6:
        legs.append(Leg(float(random.uniform(4.0, 20.0)), 0.0))
    return legs


def _drive(rider: Rider, see: Outlook, duration_s: float) -> float:
    """Current of the drive at this moment; moves the vehicle on by `duration_s`."""
    leg = _next_leg(rider, duration_s)
    scale = rider.capacity_ah * rider.cells / (31.0 * 20.0)  # a bigger pack, a bigger vehicle
    mass = _MASS_KG * scale
    speed = rider.speed_m_s
    wanted = float(np.clip(0.9 * (leg.speed_kmh / 3.6 - speed), -2.6, 1.9))
    keep = np.exp(-duration_s / 1.5)
    rider.unrest = float(
        keep * rider.unrest + np.sqrt(1.0 - keep**2) * rider.random.normal(0.0, 0.05)
    )
    if speed > 1.0:
        wanted += rider.unrest
    rolling = (_ROLLING + leg.grade) * mass * _GRAVITY
    resist = rolling + 0.5 * _AIR_KG_M3 * _DRAG_AREA_M2 * scale * speed**2
    force = mass * wanted + resist
    power = force * max(speed, 0.8)
    largest = min(_POWER_PER_AH_V * rider.capacity_ah, see.discharge_limit_a) * see.pack_v
    if power > 0.0:
        electric = min(power / _EFFICIENCY, largest)
        force = electric * _EFFICIENCY / max(speed, 0.8)
    else:
        regen = min(_REGEN_PER_AH * rider.capacity_ah, see.charge_limit_a) * see.pack_v
        electric = max(power * _REGEN_EFFICIENCY, -regen) if speed > 2.0 else 0.0
    standing = leg.speed_kmh == 0.0 and speed < 0.3
    rider.speed_m_s = 0.0 if standing else max(speed + (force - resist) / mass * duration_s, 0.0)
    if standing:
        electric = 0.0
    return electric / see.pack_v + _AUX_A * scale


def _charger(rider: Rider, see: Outlook) -> float:
    """Charging current: constant, then held back so that the pack stays at its full voltage."""
    constant_voltage = rider.current_a * -1.0 + (see.full_v - see.pack_v) / max(see.ohm, 1e-4)
    return float(
        max(min(_CHARGE_PER_AH * rider.capacity_ah, see.charge_limit_a, constant_voltage), 0.0)
    )
