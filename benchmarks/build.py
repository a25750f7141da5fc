"""How long Stop takes: an hour of the 20-cell demo from its journal to a verified recording.

Prints seconds and headroom against the 3 s of the design, and bytes per frame of `/frames`.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import h5py

from bms_studio.simulator.simulation import generate
from protocols.frames import concatenate
from recordings.journal import JournalWriter

REACH_S = 3.0
PART_S = 300
PARTS = 12


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bms-studio-bench-") as folder:
        journal = Path(folder) / "hour.journal"
        part = concatenate(list(generate(float(PART_S), 20, rate_hz=100)))
        writer = JournalWriter(journal, {"title": "hour", "protocol": "scooter"})
        for number in range(PARTS):
            shifted = replace(part, time=part.time + number * PART_S * 1_000_000_000)
            for first in range(0, len(shifted), 2000):
                writer.append(shifted[first : first + 2000])
            writer.flush(60.0)
        writer.close()
        target = Path(folder) / "hour.h5"
        begun = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "bms_studio.from_journal", str(journal), str(target)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.monotonic() - begun
        with h5py.File(target) as file:
            frames = file["frames"]
            stored = sum(d.id.get_storage_size() for d in frames.values())
            count = len(frames["time"])
    print(
        f"an hour of the demo ({count} frames) is complete {seconds:.2f} s after Stop: "
        f"{REACH_S / seconds:.2f} x the speed to reach ({REACH_S:.0f} s)"
    )
    print(f"/frames of the demo: {stored / count:.2f} bytes per frame (to reach: 9)")


if __name__ == "__main__":
    main()
