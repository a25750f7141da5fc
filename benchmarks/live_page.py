"""The whole Live page while it runs: 60 s of 96 and of 400 cells at 100 Hz, refreshed and painted.

Each tick appends 40 ms of new scans, lets the page fetch what it shows, and paints the window
offscreen at 1600 x 1000. Prints median and p99 against the 16 and 33 ms of the design.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("BMS_STUDIO_HOME", tempfile.mkdtemp(prefix="bms-studio-bench-"))

import numpy as np
from PySide6.QtWidgets import QApplication

from bms_studio.derivation import Derivation
from bms_studio.diagnosis.contract import Finding
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.settings import Settings
from bms_studio.gui.window import Window
from bms_studio.interpret import Request
from bms_studio.session_source import LocalSessions, demo_profile
from bms_studio.status import LinkStatus, Status
from bms_studio.timeline import Timeline
from protocols.roles import PACK_FIELDS

SECONDS, RATE_HZ, TICKS = 60, 100, 150
MEDIAN_MS, P99_MS = 16.0, 33.0
STEP = RATE_HZ // 25


class Running:
    """A view of a pack that grows by 40 ms whenever `advance` is called."""

    def __init__(self, cells: int) -> None:
        self.timeline = Timeline()
        self._derivation = Derivation(Request(profile=demo_profile(cells)), self.timeline)
        self._cells = cells
        self._random = np.random.default_rng(1)
        self.now_ns = 1_700_000_000_000_000_000
        self.job = None
        self.advance(SECONDS * RATE_HZ)
        self.status = replace(
            Status(
                link=LinkStatus("connected", "SLCAN", "bench", 1_000_000, simulated=True),
                protocol="bench",
            ),
            pack=self._derivation.pack_status(),
            verdict=self._derivation.monitor.judgement().verdict,
        )

    @property
    def findings(self) -> Sequence[Finding]:
        return ()

    def advance(self, rows: int) -> None:
        period = 1_000_000_000 // RATE_HZ
        when = self.now_ns + np.arange(1, rows + 1, dtype=np.int64) * period
        wave = 3.6 + 0.1 * np.sin(when * 1e-9 % 1000 / 5)[:, None]
        noise = self._random.normal(0, 0.001, (rows, self._cells))
        self.timeline.append("cells", when, (wave + noise).astype(np.float32))
        pack = np.full((rows, len(PACK_FIELDS)), np.nan, np.float32)
        pack[:, 0] = wave[:, 0] * self._cells
        pack[:, 1] = 20 * np.sin(when * 1e-9 % 1000)
        pack[:, 2] = 0.5
        self.timeline.append("pack", when, pack, tuple(f.name for f in PACK_FIELDS))
        slow = when[::RATE_HZ]
        heat = self._random.normal(35, 0.2, (len(slow), 6)).astype(np.float32)
        if len(slow):
            self.timeline.append("probes", slow, heat)
            off = np.zeros((len(slow), self._cells), np.float32)
            self.timeline.append("balancing", slow, off)
        self.now_ns = int(when[-1])

    def database_messages(self) -> Sequence[object]:
        return ()

    def message_of(self, _frame_id: int, _extended: bool) -> None:
        return None

    def start_recording(self, _path: object = None) -> None:
        raise RuntimeError("a benchmark records nothing")

    def stop_recording(self) -> None:
        raise RuntimeError("a benchmark records nothing")

    def disconnect(self) -> None:
        """Nothing is held."""


def measure(app: QApplication, cells: int) -> None:
    window = Window(LocalSessions(), Settings())
    window.resize(1600, 1000)
    window.show()
    window.refresh_clock.stop()
    view = Running(cells)
    window.show_view(view)  # type: ignore[arg-type]
    for _ in range(10):
        app.processEvents()
        window.refresh()
    spent = []
    for _ in range(TICKS):
        view.advance(STEP)
        begun = time.perf_counter()
        window.refresh()
        app.processEvents()
        spent.append(1000 * (time.perf_counter() - begun))
    median, p99 = np.percentile(spent, [50, 99])
    print(
        f"Live page, {cells} cells, {SECONDS} s at {RATE_HZ} Hz: median {median:.1f} ms "
        f"(headroom {MEDIAN_MS / median:.2f} x), p99 {p99:.1f} ms (headroom {P99_MS / p99:.2f} x)"
    )
    window.close()


def main() -> None:
    app = make_application()
    use_theme(app, "dark")
    for cells in (96, 400):
        measure(app, cells)


if __name__ == "__main__":
    main()
