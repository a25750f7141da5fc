"""Kill the acquisition program at random moments and see what the journal kept.

`python tests/long/kills.py [200]`: each turn feeds numbered frames at 4,000/s, kills with SIGKILL
after 0.2 to 1.5 s (every third turn while recording from a black box), and compares the journal
with what the ring had shown. Prints the worst loss; fails on any frame missing inside, any damage
other than a torn tail, or a loss above 0.5 s.
"""

import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bms_studio.acquisition import client
from bms_studio.acquisition.settings import AdapterSettings
from protocols.frames import concatenate
from protocols.slcan import encode
from recordings.journal import Damage, read_journal
from tests.acquisition.frames import numbered, numbers
from tests.acquisition.stick import Stick


def feed(stick: Stick, stop: threading.Event) -> None:
    """4,000 frames/s while the bus is open."""
    first = 0
    start = time.monotonic()
    while not stop.is_set():
        if not stick.open.is_set():
            start = time.monotonic()
            first = 0
        elif (due := int((time.monotonic() - start) * 4000) - first) > 0:
            stick.send(encode(numbered(due, first)))
            first += due
        time.sleep(0.004)


def one(stick: Stick, folder: Path, dice: random.Random, recording: bool) -> float:
    """Kill once; the seconds of frames lost."""
    settings = AdapterSettings("slcan", str(stick.link))
    target = folder / "rec"
    if recording:
        acquisition = client.start(settings, None, owned=False)
        acquisition.start_recording(target)
    else:
        acquisition = client.start(settings, target, owned=True)
    time.sleep(0.2 + 1.3 * dice.random())
    os.kill(acquisition.pid, signal.SIGKILL)
    acquisition.wait(5)
    stick.open.clear()
    seen = acquisition.read()
    acquisition.close()
    damage = Damage()
    blocks = [b.frames for b in read_journal(target, damage) if b.frames is not None]
    kept = concatenate(blocks)
    got = numbers(kept)
    if got != list(range(got[0], got[0] + len(got))) or damage.missing_blocks:
        raise SystemExit(f"the journal is wrong: {len(got)} frames, {damage}")
    if damage.bad_blocks > 1:
        raise SystemExit(f"more than a torn tail: {damage}")
    if numbers(seen[: len(got)]) != got[: len(seen)]:
        raise SystemExit("ring and journal differ")
    if len(got) >= len(seen):
        return 0.0
    return (int(seen.time[-1]) - int(kept.time[-1])) / 1e9


def main() -> int:
    """Kill as often as asked."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    dice = random.Random(11)
    losses = []
    with tempfile.TemporaryDirectory() as name:
        os.environ["BMS_STUDIO_HOME"] = str(Path(name) / "home")
        stick = Stick(Path(name) / "can0")
        stop = threading.Event()
        feeder = threading.Thread(target=feed, args=(stick, stop))
        feeder.start()
        try:
            for turn in range(turns):
                folder = Path(name) / str(turn)
                folder.mkdir()
                losses.append(one(stick, folder, dice, recording=turn % 3 == 2))
        finally:
            stop.set()
            feeder.join()
            stick.unplug()
    worst, mean = max(losses), sum(losses) / len(losses)
    print(f"{turns} kills: worst loss {worst:.3f} s, mean {mean:.3f} s")
    return 0 if worst <= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
