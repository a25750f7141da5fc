"""`adapters`: the adapters of this computer."""

import argparse
import json

from bms_studio.commands import DONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="one JSON document")


def run(options: argparse.Namespace) -> int:
    """List them on standard output."""
    from bms_studio.acquisition.ports import list_adapters

    found = list_adapters()
    if options.json:
        print(json.dumps(found, indent=2))
        return DONE
    for adapter in found:
        print(f"-i {adapter['interface']} -c {adapter['channel']}  {adapter['name']}")
    if not found:
        print("no adapter found; is it plugged in, and its driver installed?")
    return DONE
