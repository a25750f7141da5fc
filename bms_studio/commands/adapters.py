"""`adapters`: the adapters of this computer, and what keeps one from working."""

import argparse
import json
from typing import Any

from bms_studio.commands import DONE, say
from bms_studio.commands.options import clear_errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json, --try PORT."""
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--try",
        dest="port",
        metavar="PORT",
        help="ask a serial port whether it is an SLCAN adapter (sends C, S6, V, N, L as text)",
    )


def run(options: argparse.Namespace) -> int:
    """List them on standard output, the one used last first."""
    from bms_studio.acquisition.ports import list_adapters, list_missing, try_serial
    from bms_studio.messages import render

    if options.port:
        with clear_errors():
            found = try_serial(options.port)
        print(json.dumps(found) if options.json else f"{found['name']} {found['serial']}".strip())
        return DONE
    adapters = list_adapters()
    if options.json:
        print(json.dumps(adapters, indent=2))
        return DONE
    for adapter in adapters:
        print(_line(adapter))
        for word in _words(adapter):
            print(f"    {word}")
    if not adapters:
        print("no adapter found; is it plugged in?")
    for part in list_missing():
        say(render(f"missing.{part['code']}", part))
    return DONE


def _line(adapter: dict[str, Any]) -> str:
    who = " ".join(word for word in (adapter["name"], adapter["serial"]) if word)
    last = "  (last used)" if adapter["last_used"] else ""
    return f"-i {adapter['interface']} -c {adapter['channel'] or '-'}  {who}{last}"


def _words(adapter: dict[str, Any]) -> list[str]:
    """What is missing, and what the adapter cannot do."""
    from bms_studio.messages import render

    if adapter["missing"]:
        return [render(f"adapter.{adapter['missing']}", adapter["parameters"])]
    words = []
    if adapter["listens"] != "yes":
        words.append(render(f"adapter.listens.{adapter['listens']}", adapter))
    if not adapter["likely"]:
        words.append(f"may be an SLCAN adapter: bms-studio adapters --try {adapter['channel']}")
    return words
