"""Long work with progress and Cancel: in a thread, or in a process that may die.

A job never raises where it is polled: it ends with `error`, one sentence, and `details` to copy.
No Qt.
"""

import json
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any


class Cancelled(Exception):
    """Raised inside a job's work once somebody pressed Cancel."""


class Job:
    """`work(job)` runs in a thread; it may set `progress` and looks at `check()` now and then."""

    def __init__(self, title: str, work: Callable[["Job"], Any]) -> None:
        self.title = title
        self.progress = float("nan")
        self.error = ""
        self.details = ""
        self.result: Any = None
        self._cancelled = threading.Event()
        self._finished = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True, name=title)
        self._thread.start()

    @property
    def done(self) -> bool:
        """True when it has ended: well, with an error, or cancelled."""
        return self._finished.is_set()

    @property
    def cancelled(self) -> bool:
        """True once somebody asked it to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        self._cancelled.set()
        process = self._process
        if process is not None:
            process.kill()

    def check(self) -> None:
        """Raise Cancelled if somebody asked to stop: for the work to call."""
        if self._cancelled.is_set():
            raise Cancelled

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False if it did not come in time. Not for the window's thread."""
        return self._finished.wait(timeout_s)

    def run_process(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Run `python -m …` to its end, taking progress from its lines; for the work to call.

        The program prints JSON lines: {"progress": 0.3}, at last {"result": …} or {"error": "…"}.
        Raises Cancelled, or RuntimeError with the program's sentence.
        """
        self.check()
        with subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            self._process = process
            collected: list[str] = []
            errors = threading.Thread(
                target=lambda: collected.append(process.stderr.read() if process.stderr else "")
            )
            errors.start()
            last: dict[str, Any] = {}
            for line in process.stdout or ():
                last = _parsed(line) or last
                self.progress = float(last.get("progress", self.progress))
            status = process.wait()
            errors.join()
            self._process = None
        self.check()
        if "result" in last and status == 0:
            return dict(last["result"])
        self.details = "".join(collected)[-4000:]
        raise RuntimeError(
            last.get("error") or f"the program {arguments[0]} ended unexpectedly (status {status})"
        )

    def _run(self, work: Callable[["Job"], Any]) -> None:
        try:
            self.result = work(self)
        except Cancelled:
            self.error = ""
        except Exception as problem:  # shown to the person: a job must not end in silence
            self.error = str(problem) or type(problem).__name__
            self.details = self.details or traceback.format_exc()
        finally:
            self._finished.set()


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None  # a library's chatter on standard output is not our protocol
    return value if isinstance(value, dict) else None
