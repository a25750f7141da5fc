"""`simulate`: puts the simulated pack on an adapter. Transmits, because the person asked for it.

A protocol that only answers is silent until somebody asks.
"""

import argparse
import time
from typing import TYPE_CHECKING

from bms_studio.commands import DONE, USAGE, CommandError, say
from bms_studio.commands.options import adapter_settings, add_adapter, clear_errors

if TYPE_CHECKING:
    from bms_studio.acquisition.adapters import Adapter

_PROTOCOLS = ("scooter", "vesc", "daly", "jbd", "leaf", "hyundai_kia", "hyundai_kia_egmp")
_SLICE_S = 0.005  # how soon a question is noticed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """-i -c -b, --protocol, --cells, --fault, --rate, --seconds."""
    add_adapter(parser, transmits=True)
    parser.add_argument("--protocol", default="scooter", choices=_PROTOCOLS)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME:CELL")
    parser.add_argument("--rate", type=int, default=10, metavar="HZ", help="scans per second")
    parser.add_argument("--seconds", type=float, default=0.0, help="default: until Ctrl-C")
    parser.add_argument("--serial", default="SIM-0233")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace) -> int:
    """Send until Ctrl-C or --seconds."""
    from bms_studio.acquisition.adapters import open_adapter
    from bms_studio.simulator.faults import parse_fault
    from bms_studio.simulator.pack import PackSpec
    from bms_studio.simulator.simulation import Simulation
    from bms_studio.simulator.simulation import run as run_simulation

    try:
        faults = tuple(parse_fault(text, options.cells) for text in options.fault)
        spec = PackSpec(
            cells=options.cells, serial=options.serial, seed=options.seed, faults=faults
        )
        simulation = Simulation(spec, options.protocol, options.rate)
    except ValueError as problem:
        raise CommandError(str(problem), USAGE) from None
    begun = time.monotonic()
    with clear_errors():
        adapter = open_adapter(adapter_settings(options))

        def wait(seconds: float) -> bool:
            _answer(adapter, simulation.speaker, time.monotonic() + seconds)
            return bool(options.seconds) and time.monotonic() - begun >= options.seconds

        say(
            f"sending {options.cells} cells as {options.protocol} on {options.channel}; Ctrl-C ends"
        )
        try:
            run_simulation(simulation, adapter.write, wait)
        except KeyboardInterrupt:
            say("stopped")
        finally:
            adapter.close()
    return DONE


def _answer(adapter: "Adapter", speaker: object, until_s: float) -> None:
    """Wait; a BMS that has to be asked answers meanwhile."""
    from bms_studio.simulator.speak_polled import PolledBms

    if not isinstance(speaker, PolledBms):
        time.sleep(max(until_s - time.monotonic(), 0.0))
        return
    while True:
        left = until_s - time.monotonic()
        speaker.hear(adapter.read(min(max(left, 0.0), _SLICE_S)), time.monotonic())
        answers = speaker.due(time.monotonic())
        if answers is not None:
            adapter.write(answers)
        if left <= 0.0:
            return
