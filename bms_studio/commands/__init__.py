"""The command line: one verb per file, each with `add_arguments` and `run`.

Results go to standard output, progress and messages to standard error. Exit status: 0 done,
1 failed, 2 usage, 3 unreadable or refused file, 4 device. Nothing heavy is imported here.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

DONE, FAILED, USAGE, UNREADABLE, DEVICE = range(5)

VERBS = {
    "demo": "watch and record a simulated pack",
    "open": "open a recording in the window",
    "adapters": "list the adapters of this computer",
    "record": "record a bus without a window",
    "import": "turn logs into a recording",
    "export": "write a recording in another format",
    "info": "what is in a recording",
    "analyze": "estimate and judge every cell of a recording",
    "report": "write the workshop report of a recording",
    "replay": "send a recording's frames on a bus",
    "simulate": "put the simulated pack on an adapter",
    "repair": "build recordings from journals that a crash left",
}


class CommandError(Exception):
    """One sentence for the person, and the exit status that says what kind of trouble it is."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


def say(message: str) -> None:
    """A message for the person, on standard error; nobody reading it is no reason to stop."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        # What waits in the stream would fail again at the end and change the exit status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit status."""
    parser, verb = _parser(arguments)
    options = parser.parse_args(list(arguments))
    if options.verb is None:
        return _window()
    signal.signal(signal.SIGTERM, _interrupt)  # being told to end is an end in good order
    try:
        return int(verb.run(options))
    except CommandError as problem:
        say(f"bms-studio {options.verb}: {problem}")
        return problem.status
    except KeyboardInterrupt:
        say("interrupted")
        return FAILED
    except BrokenPipeError:
        return FAILED  # whoever read our output has gone


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parser(arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, Any]:
    """The parser with the arguments of the verb that is asked for; the others only by name."""
    from bms_studio import __version__

    parser = argparse.ArgumentParser(
        prog="bms-studio",
        description="See inside battery packs. Without a verb the window opens.",
    )
    parser.add_argument("--version", action="version", version=f"BMS Studio {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    asked = next((a for a in arguments if not a.startswith("-")), None)
    module: Any = None
    for name, words in VERBS.items():
        sub = verbs.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        if name == asked:
            file = "import_" if name == "import" else name  # import is a word of the language
            module = importlib.import_module(f"bms_studio.commands.{file}")
            module.add_arguments(sub)
    return parser, module


def _window() -> int:
    from bms_studio.commands.window import resume_window

    return resume_window()
