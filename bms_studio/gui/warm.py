"""Compiles every kernel once, so that the first start is as quick as any other.

`python -m bms_studio.gui.warm` sends a second of a simulated pack through the whole path: decode,
scans, timeline, detectors, plots, a log in and out. It stands with the window because it also warms
the plots.
"""

import sys
import tempfile
import time
from pathlib import Path

from bms_studio.analysis.warm import warm_estimators
from bms_studio.derivation import Derivation
from bms_studio.frame_log import warm as warm_frame_log
from bms_studio.from_logs import import_logs
from bms_studio.interpret import Request
from bms_studio.kernels import note_kernels_ready
from bms_studio.simulator.simulation import generate
from bms_studio.timeline import Timeline
from bms_studio.worker import say
from protocols.isotp import Reassembler
from recordings.formats import write_log
from widgets.plot_data import warm as warm_plots


def main() -> int:
    """Warm up; 0 when everything ran."""
    begun = time.monotonic()
    warm_plots()
    warm_estimators()
    blocks = list(generate(25.0, cells=4, rate_hz=20))  # detectors look at windows of 10 s
    timeline = Timeline()
    derivation = Derivation(Request("scooter"), timeline)
    for block in blocks:
        derivation.push(block)
    span = timeline.span() or (0, 1)
    for group in timeline.groups():
        timeline.fetch(group, *span, 20)
        timeline.held(group, span[1])
    timeline.frames.by_id(span[1])
    warm_frame_log()
    Reassembler([(0x7BB, False)]).push(blocks[0])
    with tempfile.TemporaryDirectory(prefix="bms-studio-warm-") as folder:
        for suffix in (".log", ".asc", ".blf"):
            log = Path(folder) / f"warm{suffix}"
            write_log(log, blocks, channels=("can0",))
            import_logs([log], log.with_suffix(".h5"), Request("scooter"))
    note_kernels_ready()
    say({"result": {"seconds": round(time.monotonic() - begun, 1)}})
    return 0


if __name__ == "__main__":
    sys.exit(main())
