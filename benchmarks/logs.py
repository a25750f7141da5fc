"""Log parsing against python-can's readers on the same files, turn and turn about in one run."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import can

from bms_studio.simulator.simulation import generate
from protocols.frames import concatenate
from recordings.formats import read_log, write_log

REACH = {"candump": 40, "asc": 40, "blf": 15}
SUFFIX = {"candump": ".log", "asc": ".asc", "blf": ".blf"}
PEER = {"candump": can.CanutilsLogReader, "asc": can.ASCReader, "blf": can.BLFReader}
SECONDS = 300
ROUNDS = 5


def _seconds(work: Callable[[], int], expected: int) -> float:
    begun = time.perf_counter()
    found = work()
    taken = time.perf_counter() - begun
    if found != expected:
        raise SystemExit(f"{found} frames read instead of {expected}")
    return taken


def main() -> None:
    frames = concatenate(list(generate(float(SECONDS), 20, rate_hz=100)))
    with tempfile.TemporaryDirectory(prefix="bms-studio-bench-") as folder:
        for name, reach in REACH.items():
            path = Path(folder) / f"log{SUFFIX[name]}"
            write_log(path, [frames], name, ("can0",))
            ours, theirs = [], []

            def read_ours(path: Path = path) -> int:
                return sum(len(block) for block in read_log(path))

            def read_theirs(path: Path = path, name: str = name) -> int:
                return sum(1 for _ in PEER[name](str(path)))

            read_ours()  # compiled and cached
            for _ in range(ROUNDS):
                ours.append(_seconds(read_ours, len(frames)))
                theirs.append(_seconds(read_theirs, len(frames)))
            ratio = min(theirs) / min(ours)
            print(
                f"{name}: {len(frames) / min(ours) / 1e6:.1f} M frames/s, {ratio:.0f} x python-can "
                f"({len(frames) / min(theirs) / 1e6:.2f} M frames/s); to reach: {reach} x"
            )


if __name__ == "__main__":
    main()
