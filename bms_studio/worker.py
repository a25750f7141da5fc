"""The side of a worker process: what it tells the job that started it (see `jobs.run_process`),
and the limits under which it reads what a stranger sent.

One JSON document per line on standard output, and nothing else.
"""

import json
import signal
import sys
from collections.abc import Callable
from typing import Any

_STEP = 0.01
_BYTES = 6 << 30
_SECONDS = 120
_SECONDS_PER_MB = 2


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


def limit(size: int, most_bytes: int = _BYTES) -> None:
    """Let this process use at most so much memory, and time in proportion to the `size` in bytes of
    what it reads. Windows has no such limits without a job object: there Cancel ends it."""
    try:
        import resource
    except ImportError:
        return
    seconds = _SECONDS + _SECONDS_PER_MB * (size >> 20)
    _, highest = resource.getrlimit(resource.RLIMIT_CPU)
    if highest == resource.RLIM_INFINITY or highest > seconds + 30:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 30))
        signal.signal(signal.SIGXCPU, _too_long)
    _, highest = resource.getrlimit(resource.RLIMIT_DATA)
    if highest == resource.RLIM_INFINITY or highest > most_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


def _too_long(*_: object) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)  # it comes again every second
    raise OSError("reading this file takes far too long for its size: it is damaged or hostile")
