"""SLCAN ingest: our acquisition program beside python-can's slcan bus, same feeder, same run.

`python benchmarks/ingest.py` prints, for each rate, frames offered by the stick, lost (offered
minus what the stick itself refused minus received), and the share of a core that the whole
acquisition program (read, stamp, journal with sync, ring) took. "refused" is the stick overflowing:
with no buffer of its own it has only the pseudo-terminal's 20 kB. POSIX only.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bms_studio.acquisition import client
from bms_studio.acquisition.settings import AdapterSettings

HERE = Path(__file__).resolve().parent


def start_feeder(rate: float, seconds: float, buffer: int) -> tuple["subprocess.Popen[str]", str]:
    """The running feeder and its port."""
    command = [sys.executable, str(HERE / "_feeder.py"), "--rate", str(rate)]
    command += ["--seconds", str(seconds), "--buffer", str(buffer)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def finish(process: "subprocess.Popen[str]") -> dict[str, float]:
    """The feeder's own account, once it has fed."""
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def leave(process: "subprocess.Popen[str]") -> None:
    """End the feeder."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait()
    process.stdout.close()


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(rate: float, seconds: float, buffer: int, folder: Path) -> dict[str, float]:
    """One run of our acquisition program, read by a client as the window does."""
    feeder, port = start_feeder(rate, seconds, buffer)
    settings = AdapterSettings("slcan", port, bitrate=1_000_000)
    acquisition = client.start(settings, folder / "rec.journal", owned=True)
    seen = 0
    begin_cpu, begin = cpu_s(acquisition.pid), time.monotonic()
    while time.monotonic() - begin < seconds:
        seen += len(acquisition.read())
        time.sleep(0.02)
    share = (cpu_s(acquisition.pid) - begin_cpu) / (time.monotonic() - begin)
    account = finish(feeder)
    time.sleep(0.3)
    seen += len(acquisition.read())
    status = acquisition.status()
    acquisition.quit()
    acquisition.close()
    leave(feeder)
    return {
        **account,
        "received": status.received,
        "seen": seen,
        "bad": status.dropped["parser"],
        "lost": account["offered"] - account["refused"] - status.received,
        "core": share,
    }


def python_can(rate: float, seconds: float, buffer: int) -> dict[str, float]:
    """One run of python-can's slcan bus with recv in a loop, in this process."""
    import can

    feeder, port = start_feeder(rate, seconds, buffer)
    bus = can.Bus(interface="slcan", channel=port, bitrate=1_000_000, listen_only=True)
    done = threading.Event()
    counts = {"received": 0, "bad": 0}

    def receive() -> None:
        while not done.is_set():
            try:
                counts["received"] += bus.recv(0.1) is not None
            except (can.CanError, ValueError, IndexError):  # what its parser raises on garbage
                counts["bad"] += 1

    begin_cpu, begin = time.process_time(), time.monotonic()
    thread = threading.Thread(target=receive)
    thread.start()
    account = finish(feeder)
    time.sleep(0.3)
    share = (time.process_time() - begin_cpu) / (time.monotonic() - begin)
    done.set()
    thread.join()
    bus.shutdown()
    leave(feeder)
    lost = account["offered"] - account["refused"] - counts["received"]
    return {**account, **counts, "lost": lost, "core": share}


def show(name: str, rate: float, result: dict[str, float]) -> None:
    """One line of the table."""
    kept = 100 * result["received"] / max(1, result["offered"])
    print(
        f"{name:<12}{rate:>8.0f}{result['offered']:>10.0f}{result['received']:>10.0f}"
        f"{kept:>8.2f}{result['refused']:>9.0f}{result['lost']:>7.0f}{result['bad']:>6.0f}"
        f"{100 * result['core']:>8.1f}{1000 * result['late_s']:>9.0f}"
    )


def main() -> int:
    """Print the table."""
    if not sys.platform.startswith("linux"):
        print("needs Linux: it feeds a pseudo-terminal and reads /proc")
        return 0
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    head = ("frames/s", "offered", "received", "kept %", "refused", "lost", "bad", "core %")
    print(f"{'reader':<12}{head[0]:>8}{head[1]:>10}{head[2]:>10}{head[3]:>8}{head[4]:>9}", end="")
    print(f"{head[5]:>7}{head[6]:>6}{head[7]:>8}{'late ms':>9}")
    for rate, buffer in ((9009.0, 0), (40000.0, 65536)):
        with tempfile.TemporaryDirectory() as name:
            os.environ["BMS_STUDIO_HOME"] = str(Path(name) / "home")
            show("bms-studio", rate, ours(rate, seconds, buffer, Path(name)))
        show("python-can", rate, python_can(rate, seconds, buffer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
