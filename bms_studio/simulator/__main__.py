"""`python -m bms_studio.simulator`: the simulated pack behind an emulated USB-CAN adapter.

Prints one JSON line with the port to open when it is ready, another with the adapter's counts when
it ends, and runs until its standard input closes. What it does is in the other modules.
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from bms_studio.simulator.emulated_adapter import EmulatedAdapter, TcpPort, Terminal
from bms_studio.simulator.faults import parse_fault
from bms_studio.simulator.pack import PackSpec
from bms_studio.simulator.rider import STORY
from bms_studio.simulator.simulation import PROTOCOLS, Simulation, run
from bms_studio.simulator.speak_polled import PolledBms
from protocols.frames import Frames

_USAGE, _DEVICE = 2, 4
_SLICE_S = 0.002  # how soon a polled BMS notices a question
_STORY_FAULT = "resistance"  # of cell 13, unless faults are named: the story is about a weak cell


def main(arguments: list[str] | None = None) -> int:
    """Run until standard input closes. 0 done, 2 usage, 4 the port cannot be had."""
    options = parser().parse_args(arguments)
    try:
        simulation = build(options)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return _USAGE
    try:
        line = Terminal() if options.tcp is None else TcpPort(options.tcp)
    except OSError as error:
        sys.stderr.write(f"The emulated adapter cannot open its port: {error}\n")
        return _DEVICE
    adapter = EmulatedAdapter(line)
    _say({"interface": "slcan", "channel": line.url, "serial": options.serial, "pid": os.getpid()})
    ended = _watch_stdin()

    def wait(seconds: float) -> bool:
        serve(adapter, simulation.speaker, seconds)
        return ended.is_set()

    seconds = run(simulation, adapter.send, wait, options.speed)
    _say({"seconds": round(seconds, 3), **asdict(adapter.counts)})
    adapter.close()
    return 0


def serve(adapter: EmulatedAdapter, speaker: Callable[..., Frames], seconds: float) -> None:
    """Let the adapter work for about `seconds`; a BMS that is asked answers meanwhile."""
    if not isinstance(speaker, PolledBms):
        adapter.service(seconds)
        adapter.received()
        return
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        adapter.service(min(max(left, 0.0), _SLICE_S))
        heard = adapter.received()
        if heard is not None:
            speaker.hear(heard, time.monotonic())
        answers = speaker.due(time.monotonic())
        if answers is not None:
            adapter.send(answers)
        if left <= 0.0:
            return


def build(options: argparse.Namespace) -> Simulation:
    """The simulation that the options ask for; ValueError, one sentence, if there is none."""
    try:
        options.serial.encode("ascii")
    except UnicodeEncodeError:
        raise ValueError(f"'{options.serial}': a serial number is plain ASCII text") from None
    if not 0.0 < options.speed <= 1000.0:
        raise ValueError("--speed is a number above 0, at most 1000")
    if options.tcp is not None and not 0 <= options.tcp <= 65535:
        raise ValueError(f"--tcp {options.tcp}: a port is a number from 0 to 65535")
    named = options.fault or ([f"{_STORY_FAULT}:{min(13, options.cells)}"] if options.story else [])
    faults = tuple(parse_fault(text, options.cells) for text in named)
    spec = PackSpec(
        cells=options.cells,
        serial=options.serial,
        chemistry=options.chemistry,
        seed=options.seed,
        faults=faults,
    )
    plan = STORY if options.story else ()
    return Simulation(spec, options.protocol, options.rate, plan)


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(prog="python -m bms_studio.simulator", description=__doc__)
    port = made.add_mutually_exclusive_group()
    port.add_argument("--pty", action="store_true", help="a pseudo-terminal (the default)")
    port.add_argument("--tcp", type=int, metavar="PORT", help="a TCP port, 0 for any free one")
    made.add_argument("--protocol", default="scooter", choices=tuple(PROTOCOLS))
    made.add_argument("--cells", type=int, default=20)
    made.add_argument("--fault", action="append", default=[], metavar="NAME:CELL[:SIZE][@S]")
    made.add_argument("--rate", type=int, default=100, metavar="HZ", help="scans per second")
    made.add_argument("--speed", type=float, default=1.0, help="simulated seconds per second")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument(
        "--story",
        action="store_true",
        help="begin with the ten-minute demo: rest, charge, ride with one weak cell",
    )
    made.add_argument("--serial", default="SIM-0233")
    made.add_argument("--chemistry", default="NMC")
    return made


def _say(values: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def _watch_stdin() -> threading.Event:
    """Set when standard input ends, which is when whoever started us has gone."""
    ended = threading.Event()

    def watch() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            ended.set()
        ended.set()

    threading.Thread(target=watch, name="stdin", daemon=True).start()
    return ended


if __name__ == "__main__":
    sys.exit(main())
