"""The whole simulated pack in motion: rider, pack, electronics, and frames out.

`Simulation` advances block by block and hands out frames with simulated times; `generate` runs as
fast as it can, `run` at the pace of a clock into any `send` callable. No bus, no Qt.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.simulator import speak_polled, speak_scooter, speak_vesc
from bms_studio.simulator.bms import Bms, Readings, bleed_current, build_bms, decide, measure
from bms_studio.simulator.cell import Floats
from bms_studio.simulator.faults import Fault, parse_fault
from bms_studio.simulator.pack import (
    STEP_S,
    Pack,
    PackSpec,
    advance_pack,
    build_pack,
    string_voltage,
)
from bms_studio.simulator.rider import Outlook, Phase, Rider, build_rider, demand
from protocols.frames import Frames

RATES_HZ = (1, 2, 5, 10, 20, 50, 100, 200, 250, 500, 1000)
PROTOCOLS: dict[str, Callable[[PackSpec, int], Callable[..., Frames]]] = {
    "scooter": speak_scooter.build_speaker,
    "vesc": speak_vesc.build_speaker,
    **{name: speak_polled.build_speaker(name) for name in speak_polled.POLLED},
}
_BLOCK_S = 0.1
_START_NS = 1_700_000_000_000_000_000  # any fixed moment: the same seed gives the same bytes


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What really was at the end of one block: SI units, per cell float64[N].

    resistance_ohm: R0 at 25 degC and half charge; soc 0..1 of each cell's own capacity.
    """

    time_ns: int
    current_a: float
    pack_v: float
    soc: Floats
    temperature_degc: Floats
    capacity_ah: Floats
    resistance_ohm: Floats
    joint_ohm: Floats
    leak_a: Floats
    balancing: NDArray[np.bool_]
    what: str


class Simulation:
    """A pack in motion. Iterating gives blocks of `Frames` without end; `step` gives one.

    `truth` describes the block that was handed out last; `readings` what the sensors said in it.
    """

    def __init__(
        self,
        spec: PackSpec,
        protocol: str = "scooter",
        rate_hz: int = 100,
        plan: Sequence[Phase] = (),
        start_ns: int = _START_NS,
    ) -> None:
        """Raises ValueError, one sentence, for a rate or protocol that does not exist."""
        if rate_hz not in RATES_HZ:
            raise ValueError(
                f"the cells cannot be scanned at {rate_hz} Hz: choose one of "
                + ", ".join(str(rate) for rate in RATES_HZ)
            )
        if protocol not in PROTOCOLS:
            raise ValueError(
                f"the simulator does not speak '{protocol}': choose {' or '.join(PROTOCOLS)}"
            )
        self.pack: Pack = build_pack(spec)
        self.bms: Bms = build_bms(self.pack)
        self.rider: Rider = build_rider(spec.capacity_ah, spec.cells, spec.seed, plan)
        self.rate_hz = rate_hz
        self.steps = round(max(_BLOCK_S, 1.0 / rate_hz) / STEP_S)
        self.scan_steps = 1000 // rate_hz
        self.start_ns = start_ns
        self.speaker = PROTOCOLS[protocol](spec, rate_hz)
        self.truth: Truth | None = None
        self.readings: Readings | None = None

    @property
    def block_s(self) -> float:
        """Simulated seconds per block."""
        return self.steps * STEP_S

    def __iter__(self) -> Iterator[Frames]:
        return self

    def __next__(self) -> Frames:
        return self.step()

    def step(self) -> Frames:
        """Advance by one block and hand over its frames, in order of time."""
        pack, bms = self.pack, self.bms
        begin_ns = self.start_ns + round(pack.elapsed_s * 1e9)
        bleed = bleed_current(bms, pack)
        current = demand(self.rider, self._outlook(), self.steps, STEP_S)
        block = advance_pack(pack, current, bleed)
        readings = measure(bms, pack, block, self.scan_steps, 10)
        decide(bms, readings, self.block_s)
        self.readings = readings
        last_v = float(string_voltage(pack, block, np.array([self.steps - 1]))[0])
        self.truth = self._truth(begin_ns, float(current[-1]), last_v)
        return self.speaker(bms, readings, self.rider.what, begin_ns)

    def _outlook(self) -> Outlook:
        pack, bms = self.pack, self.bms
        chemistry = bms.chemistry
        ohm = float((pack.cells.r0_ohm + pack.cells.r1_ohm + pack.joint_ohm).sum())
        if self.readings is None:
            volts = float(np.interp(pack.cells.soc, chemistry.soc, chemistry.ocv_v).sum())
        else:
            volts = float(self.readings.pack_v[-1])
        return Outlook(
            volts,
            ohm,
            chemistry.cell_voltage_max * pack.spec.cells,
            bms.charge_limit_a,
            bms.discharge_limit_a,
            float(pack.cells.soc.min()),
        )

    def _truth(self, begin_ns: int, current_a: float, pack_v: float) -> Truth:
        pack, cells = self.pack, self.pack.cells
        return Truth(
            begin_ns + round(self.block_s * 1e9),
            current_a,
            pack_v,
            cells.soc,
            pack.heat.temperature_degc,
            cells.capacity_ah,
            cells.r0_ohm,
            pack.joint_ohm.copy(),
            cells.leak_a,
            self.bms.balancing.copy(),
            self.rider.what,
        )


class Generated:
    """Blocks of `Frames` for a number of seconds, as fast as possible; `truth` collects a row per
    block while it is iterated."""

    def __init__(self, simulation: Simulation, seconds: float) -> None:
        self.simulation = simulation
        self.truth: list[Truth] = []
        self._blocks = round(seconds / simulation.block_s)

    def __iter__(self) -> Iterator[Frames]:
        for _ in range(self._blocks):
            frames = self.simulation.step()
            if self.simulation.truth is not None:
                self.truth.append(self.simulation.truth)
            yield frames


def generate(
    seconds: float,
    cells: int = 20,
    faults: tuple[Fault | str, ...] = (),
    protocol: str = "scooter",
    seed: int = 1,
    rate_hz: int = 100,
    start_ns: int = _START_NS,
    plan: Sequence[Phase] = (),
    spec: PackSpec | None = None,
) -> Generated:
    """An iterable of `Frames` blocks covering `seconds`, the same for the same arguments.

    faults: `Fault`s or their text ("resistance:13"). plan: what the rider does first, such as
    `rider.STORY`; without one a ride begins after 3 s. spec: any other pack; `cells`, `faults` and
    `seed` still apply to it. Raises ValueError, one sentence, for anything impossible.
    """
    parsed = tuple(parse_fault(f, cells) if isinstance(f, str) else f for f in faults)
    spec = replace(spec or PackSpec(), cells=cells, faults=parsed, seed=seed)
    return Generated(Simulation(spec, protocol, rate_hz, plan, start_ns), seconds)


def run(
    simulation: Simulation,
    send: Callable[[Frames], None],
    wait: Callable[[float], bool],
    speed: float = 1.0,
    slice_s: float = 0.002,
) -> float:
    """Send the simulation's frames at the pace of the monotonic clock until `wait` says stop.

    wait(seconds): sleeps about that long (0: looks only) and returns True to end. speed: simulated
    seconds per second. After a stall of more than a second the lost time is skipped; otherwise
    frames that are late go out at once. Hands back the simulated seconds sent.
    """
    origin = time.monotonic()
    simulated = 0.0
    while True:
        begin_ns = simulation.start_ns + round(simulation.pack.elapsed_s * 1e9)
        frames = simulation.step()
        offset = (frames.time - begin_ns) * 1e-9
        at = 0
        while at < len(frames):
            due = (time.monotonic() - origin) * speed - simulated
            behind = due - simulation.block_s
            if behind > speed:
                origin += behind / speed
            upto = int(np.searchsorted(offset, due, side="right"))
            if upto > at:
                send(frames[at:upto])
                at = upto
            if at < len(frames):
                pause = max((offset[at] - due) / speed, slice_s)
                if wait(pause):
                    return simulated
        simulated += simulation.block_s
        # A block without frames takes its time as well: a BMS that is only asked broadcasts none.
        ahead = simulated - (time.monotonic() - origin) * speed if not len(frames) else 0.0
        if wait(max(ahead / speed, 0.0)):
            return simulated
