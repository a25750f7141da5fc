"""Compiled kernels: are they there, and if not, made once, in a process of their own.

A compiler in the window's process would hold up every thread that calls a kernel for a minute, a
live session among them. No numba here.
"""

import os
import sys
from pathlib import Path

from bms_studio.jobs import Job

_MARK = "ready"
# The title of the job meanwhile; the window says it in the reader's language.
PREPARING = "Getting ready for the first time (a minute, once)"


def kernels_ready() -> bool:
    """Whether `bms_studio.gui.warm` has run to its end for this version on this computer."""
    return _mark().exists()


def note_kernels_ready() -> None:
    """Remember it; a folder that cannot be written forgets it."""
    try:
        _mark().touch()
    except OSError as problem:
        sys.stderr.write(f"compiled kernels cannot be kept: {problem}\n")


def prepare_kernels(job: Job) -> None:
    """Compile what is not compiled yet, as a part of this job. Raises Cancelled; where compiling
    fails the program goes on and compiles when it first needs a kernel."""
    if kernels_ready():
        return
    title, job.title = job.title, PREPARING
    try:
        job.run_process(["bms_studio.gui.warm"])
    except RuntimeError as problem:
        sys.stderr.write(f"{problem}\n")
    finally:
        job.title, job.progress = title, 0.0


def _mark() -> Path:
    return Path(os.environ["NUMBA_CACHE_DIR"]) / _MARK
