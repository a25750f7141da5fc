"""A full 1 Mbit/s bus for as long as you like: nothing lost, memory and descriptors constant.

`python tests/long/soak.py [600]` feeds 9,009 frames/s from a program of its own, reads the ring as
the window does, and prints once a minute. Linux only. Fails on a lost frame, on a grown number of
descriptors, or on more than 4 MB of growth after the first fifth of the time.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from ingest import cpu_s, finish, leave, start_feeder

from bms_studio.acquisition import client
from bms_studio.acquisition.settings import AdapterSettings


def memory_kb(pid: int) -> int:
    """Memory of a process without the mapped ring."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0])


def descriptors(pid: int) -> int:
    """Open files of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def main() -> int:
    """Soak."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    with tempfile.TemporaryDirectory() as name:
        os.environ["BMS_STUDIO_HOME"] = str(Path(name) / "home")
        feeder, port = start_feeder(9009, seconds, 65536)
        settings = AdapterSettings("slcan", port, bitrate=1_000_000)
        acquisition = client.start(settings, None, owned=True)
        pid, begin, seen = acquisition.pid, time.monotonic(), 0
        used, base, told = cpu_s(pid), (0, 0), begin
        while time.monotonic() - begin < seconds:
            seen += len(acquisition.read())
            time.sleep(0.02)
            now = time.monotonic() - begin
            if base == (0, 0) and now > seconds / 5:
                base = (memory_kb(pid), descriptors(pid))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(f"{now:6.0f} s: {seen} frames, {memory_kb(pid)} kB, {descriptors(pid)} files")
        share = (cpu_s(pid) - used) / (time.monotonic() - begin)
        account = finish(feeder)
        time.sleep(0.5)
        seen += len(acquisition.read())
        end = (memory_kb(pid), descriptors(pid))
        status = acquisition.status()
        missed = acquisition.missed
        acquisition.quit()
        acquisition.close()
        leave(feeder)
    lost = account["offered"] - account["refused"] - status.received
    print(
        f"{seconds:.0f} s: offered {account['offered']:.0f}, refused by the stick "
        f"{account['refused']:.0f}, lost {lost:.0f}, missed by the reader {missed}, "
        f"disk {status.dropped['disk']}, {100 * share:.1f} % of a core, "
        f"{base[0]} -> {end[0]} kB, {base[1]} -> {end[1]} files"
    )
    fine = lost == 0 and seen == status.received and end[1] <= base[1] and end[0] - base[0] < 4096
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
