"""Reads a database that a stranger wrote, as a program of its own that may die.

`python -m bms_studio.from_database FILE` prints the database in words (`described`) and its text as
JSON lines for `bms_studio.jobs`. No Qt.
"""

import sys
from pathlib import Path

from bms_studio.described import describe
from bms_studio.worker import limit, say
from protocols.dbc import load_database

_BYTES = 2 << 30


def main(arguments: list[str]) -> int:
    """FILE; JSON lines on standard output."""
    path = Path(arguments[0])
    limit(path.stat().st_size if path.is_file() else 0, _BYTES)
    try:
        database = load_database(path)
    except FileNotFoundError:
        say({"error": f"{path}: there is no such file"})
        return 3
    except (ValueError, OSError, MemoryError) as problem:
        say({"error": str(problem) or f"{path} needs more memory than is allowed"})
        return 3
    say({"result": {"database": describe([database])[0], "text": database.text}})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
