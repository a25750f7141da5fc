"""The side of a worker process: what it tells the job that started it (see `jobs.run_process`).

One JSON document per line on standard output, and nothing else.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

_STEP = 0.01


def say(message: dict[str, Any]) -> None:
    """One line: {"progress": 0.3}, at last {"result": …} or {"error": "…"}."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def say_progress() -> Callable[[float], None]:
    """A callback for a share done 0..1 that speaks once per per cent."""
    shown = 0.0

    def progress(done: float) -> None:
        nonlocal shown
        if done - shown >= _STEP:
            shown = done
            say({"progress": round(done, 3)})

    return progress
