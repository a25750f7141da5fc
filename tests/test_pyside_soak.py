"""Guards the pin of PySide6: 6.12.0 gives back one reference to None too many on every void call.

Python 3.11 dies of it after some thousand calls (`none_dealloc`), so no short test notices. The
soak repaints plots and labels for half a minute in a process of its own, as a window does all day.
"""

import json
import subprocess

SECONDS = 30

SOAK = f"""
import json, sys, time
import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

app = QApplication([])
window, plot = QWidget(), pg.PlotWidget()
labels = [QLabel() for _ in range(20)]
column = QVBoxLayout(window)
for widget in (plot, *labels):
    column.addWidget(widget)
curves = [plot.plot(pen=(index, 4)) for index in range(4)]
x, noise = np.arange(500.0), np.random.default_rng(1)
window.resize(800, 600)
window.show()
painted = 0

def repaint():
    global painted
    for curve in curves:
        curve.setData(x, noise.normal(size=500))
    for label in labels:
        label.setText(str(painted))
    window.repaint()
    painted += 1

timer = QTimer()
timer.timeout.connect(repaint)
timer.start(15)
QTimer.singleShot({SECONDS * 1000}, app.quit)
before = sys.getrefcount(None)
app.exec()
print(json.dumps({{"painted": painted, "lost": before - sys.getrefcount(None)}}))
"""


def test_half_a_minute_of_repainting_keeps_the_process_and_its_references_to_none(
    python: str,
) -> None:
    child = subprocess.run(
        [python, "-c", SOAK], capture_output=True, text=True, timeout=SECONDS + 60, check=False
    )
    assert child.returncode == 0, f"status {child.returncode}\n{child.stderr[-3000:]}"
    result = json.loads(child.stdout)
    # Every repaint makes more than twenty void calls; 6.12.0 loses one reference at each.
    assert result["painted"] > 100
    assert result["lost"] < 1000, result
