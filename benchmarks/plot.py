"""One plot of all cells beside pyqtgraph: new data and a full repaint each frame, off screen.

    python benchmarks/plot.py [--frames N] [--size 1600x900]

60 s at 100 Hz of 96 and of 400 cells, a window that moves by 40 ms per frame. pyqtgraph draws one
PlotDataItem per cell (pen width 1, antialias off, skipFiniteCheck) with fixed ranges, which spares
it the moving axis; the TracePlot reduces the same samples, draws its band and one named cell, and
moves its view. Both paint into a shown window of the same size, in turns, in one process.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / "bms-studio-numba"))

import numpy as np
import pyqtgraph
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication

from widgets.plot_parts import Named
from widgets.sources import ArraySource
from widgets.theme import DARK, apply_theme, load_fonts
from widgets.time_view import TimeView
from widgets.trace_plot import TracePlot

RATE_HZ = 100
SAMPLES = 60 * RATE_HZ
STEP = 4  # samples per frame
PERIOD_NS = 1_000_000_000 // RATE_HZ


def voltages(cells: int, samples: int) -> NDArray[np.float32]:
    """Ridden cells, [samples, cells] in V: a common course, a spread, 0.5 mV of noise, one dip."""
    rng = np.random.default_rng(7)
    s = np.arange(samples) / RATE_HZ
    current = 30 + 15 * np.sin(s / 5) + 15 * np.sin(s / 2.1) * np.sin(s / 11)
    rows = 3.68 - 0.002 * current[:, None] * rng.normal(1, 0.05, cells)
    rows = rows + rng.normal(0, 0.003, cells) + rng.normal(0, 0.0005, (samples, cells))
    rows[samples // 2, cells // 2] -= 0.08
    return np.asarray(rows, np.float32)


class Peer:
    """pyqtgraph with one PlotDataItem per cell."""

    def __init__(self, rows: NDArray[np.float32], width: int, height: int) -> None:
        self.columns = np.ascontiguousarray(rows.T)
        self.x = np.arange(SAMPLES) / RATE_HZ - 60.0
        self.widget = pyqtgraph.PlotWidget()
        self.widget.resize(width, height)
        pen = pyqtgraph.mkPen("#5a7692", width=1)
        self.items = []
        for _ in range(len(self.columns)):
            item = pyqtgraph.PlotDataItem(pen=pen, antialias=False, skipFiniteCheck=True)
            self.widget.addItem(item)
            self.items.append(item)
        self.widget.disableAutoRange()
        self.widget.setRange(xRange=(-60, 0), yRange=(3.5, 3.75), padding=0)
        self.widget.show()

    def frame(self, first: int) -> None:
        """New data, painted before it returns."""
        for item, column in zip(self.items, self.columns, strict=True):
            item.setData(self.x, column[first : first + SAMPLES])
        self.widget.viewport().repaint()


class Ours:
    """One TracePlot that follows."""

    def __init__(self, rows: NDArray[np.float32], width: int, height: int) -> None:
        self.rows = rows
        self.time = np.arange(len(rows), dtype=np.int64) * PERIOD_NS
        self.source = ArraySource(self.time[:SAMPLES], rows[:SAMPLES])
        self.view = TimeView()
        self.widget = TracePlot(self.view)
        self.widget.resize(width, height)
        self.widget.set_header("Cell voltage", "V", f"{rows.shape[1]} cells, outliers named")
        self.widget.set_named([Named(3, "4")])
        self.widget.set_source(self.source)
        self.widget.show()

    def frame(self, first: int) -> None:
        """New data, painted before it returns."""
        last = first + SAMPLES
        self.source.replace(self.time[first:last], self.rows[first:last])
        self.view.set_now(int(self.time[last - 1]))
        self.widget.repaint()


def measure(cells: int, frames: int, width: int, height: int) -> None:
    """Print median and p99 of both and their ratio."""
    rows = voltages(cells, SAMPLES + STEP * frames)
    peer, ours = Peer(rows, width, height), Ours(rows, width, height)
    QApplication.processEvents()
    times: dict[str, list[float]] = {"pyqtgraph": [], "TracePlot": []}
    for k in range(frames):
        for name, side in (("pyqtgraph", peer), ("TracePlot", ours)):
            start = time.perf_counter()
            side.frame(k * STEP)
            if k >= 3:  # the first frames compile and fill caches
                times[name].append(1e3 * (time.perf_counter() - start))
    for name, values in times.items():
        median, p99 = np.percentile(values, (50, 99))
        print(f"{cells} cells, {name}: median {median:.1f} ms, p99 {p99:.1f} ms per frame")
    ratio = np.median(times["pyqtgraph"]) / np.median(times["TracePlot"])
    print(f"{cells} cells: TracePlot is {ratio:.1f} x as fast as pyqtgraph")
    peer.widget.close()
    ours.widget.close()


def main() -> None:
    """96 and 400 cells."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="1600x900")
    arguments = parser.parse_args()
    width, height = (int(part) for part in arguments.size.split("x"))
    app = QApplication([])
    load_fonts(Path(__file__).resolve().parent.parent / "resources" / "fonts")
    apply_theme(app, DARK)
    pyqtgraph.setConfigOptions(antialias=False)
    print(f"{width}x{height} off screen, 60 s at {RATE_HZ} Hz, {arguments.frames} frames each")
    for cells in (96, 400):
        measure(cells, arguments.frames, width, height)


if __name__ == "__main__":
    main()
