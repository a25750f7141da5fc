"""The guided check: what can move current, then step by step until the data suffice.

Stays beside the window, which goes on showing the pack. Nothing is transmitted; the words follow
what the pack does. The wiggle test ticks at every dip while somebody bends cables and joints.
"""

import math
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.contract import Analysed, PackView
from bms_studio.gui.header import hms
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number, read
from bms_studio.guided_test import CHARGER, LOAD, NOTHING, PLANS, WHEEL, GuidedTest, Seen
from bms_studio.language import text
from bms_studio.messages import render
from widgets.action_button import ActionButton
from widgets.meters import MeterRow, Meters
from widgets.panel import Panel
from widgets.text_line import TextLine

_TICK_MS = 200
_DIPS = ("dips.one_cell", "dips.sense_wire")


class GuideDialog(QDialog):
    """See the module. Emits `finished_check` when the data suffice or the person ends it."""

    finished_check = Signal()

    def __init__(
        self,
        view: Callable[[], PackView | None],
        parent: QWidget | None = None,
        beep: Callable[[], None] = QApplication.beep,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("Check a pack"))
        self.setModal(False)
        self.resize(520, 560)
        self._view, self._beep = view, beep
        self._test: GuidedTest | None = None
        self._dips: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._wiggling = False
        self._layers = QStackedLayout(self)
        self._layers.setContentsMargins(12, 12, 12, 12)
        self._layers.addWidget(self._make_choice())
        self._layers.addWidget(self._make_run())
        self._layers.addWidget(self._make_wiggle())
        self._timer = QTimer(self, interval=_TICK_MS)
        self._timer.timeout.connect(self.tick)

    # -- building ------------------------------------------------------------------------------

    def _make_choice(self) -> QWidget:
        panel = Panel(text("What can move current?"))
        panel.add(_wrapped(text("Nothing is sent to the pack. About ten minutes in all.")))
        for way, words in _way_words().items():
            plan = PLANS[way]
            button = ActionButton(words, least=220)
            button.clicked.connect(lambda _checked=False, chosen=way: self.start(chosen))
            row = QVBoxLayout()
            row.setSpacing(2)
            row.addWidget(button)
            decides = ", ".join(_quantity(name) for name in plan.decides)
            missing = ", ".join(_quantity(name) for name in plan.cannot)
            row.addWidget(
                _wrapped(
                    text(
                        "{minutes} min; decides {decides}; cannot decide {missing}",
                        minutes=number(plan.seconds / 60, 0),
                        decides=decides,
                        missing=missing,
                    )
                )
            )
            holder = QWidget()
            holder.setLayout(row)
            row.setContentsMargins(0, 0, 0, 0)
            panel.add(holder)
        wiggle = ActionButton(text("Wiggle test"), least=220)
        wiggle.clicked.connect(self.wiggle)
        panel.add(wiggle)
        panel.add(_wrapped(text("Bend cables and joints: a tick at every dip.")))
        panel.add(QWidget(), 1)
        return panel

    def _make_run(self) -> QWidget:
        panel = Panel(text("Check a pack"))
        self.step_line = TextLine("", tone="muted", size=12)
        self.instruction = _wrapped("", "heading")
        self.doing = _wrapped("")
        self.warning = _wrapped("", "high")
        self.meters = Meters()
        for part in (self.step_line, self.instruction, self.doing, self.warning, self.meters):
            panel.add(part)
        panel.add(QWidget(), 1)
        self.end_button = ActionButton(text("End and show the diagnosis"), tone="primary")
        self.end_button.clicked.connect(self._end)
        again = ActionButton(text("Back"), least=90)
        again.clicked.connect(self.choose_again)
        panel.add(_row(self.end_button, again))
        return panel

    def _make_wiggle(self) -> QWidget:
        panel = Panel(text("Wiggle test"))
        panel.add(_wrapped(text("Bend one cable or joint after another; listen for the tick.")))
        self.dip_count = TextLine("0", size=40, bold=True)
        self.dip_words = _wrapped("")
        panel.add(self.dip_count)
        panel.add(self.dip_words)
        panel.add(QWidget(), 1)
        back = ActionButton(text("Back"), least=90)
        back.clicked.connect(self.choose_again)
        panel.add(_row(back))
        return panel

    # -- running -------------------------------------------------------------------------------

    def choose_again(self) -> None:
        """Back to the question; what was measured stays in the session."""
        self._test, self._wiggling = None, False
        self._timer.stop()
        self._layers.setCurrentIndex(0)

    def start(self, way: str) -> None:
        """Begin the steps of a way of moving current."""
        self._test = GuidedTest(PLANS[way])
        self._layers.setCurrentIndex(1)
        self._timer.start()
        self.tick()

    def wiggle(self) -> None:
        """Begin to tick at dips; those before do not count."""
        view = self._view()
        self._dips = _dip_counts(view) if view is not None else {}
        self._first = dict(self._dips)
        self._wiggling = True
        self._layers.setCurrentIndex(2)
        self._timer.start()
        self.tick()

    def tick(self) -> None:
        """Bring the words up to date with what the pack does."""
        view = self._view()
        if view is None:
            return
        if self._wiggling:
            self._tick_wiggle(view)
        elif self._test is not None:
            self._tick_test(view, self._test)

    def _tick_test(self, view: PackView, test: GuidedTest) -> None:
        guidance = test.update(seen(view))
        steps = len(test.plan.steps)
        self.step_line.set_text(
            text(
                "step {step} of {steps} · about {left} left",
                step=min(guidance.step + 1, steps),
                steps=steps,
                left=hms(math.ceil(guidance.left_s)),
            )
        )
        words = render(guidance.code)
        if guidance.step_left_s:
            words += f"  {math.ceil(guidance.step_left_s)} s"
        self.instruction.setText(words)
        waiting = "" if guidance.doing or guidance.done else text("Waiting for the pack to do so…")
        self.doing.setText(waiting)
        warning = render(guidance.warning, {"cell": guidance.warning_cell})
        self.warning.setText(warning if guidance.warning else "")
        self.meters.set_rows(
            [
                MeterRow(_quantity(name), share, f"{math.floor(100 * share)} %")
                for name, share in guidance.meters
            ]
        )
        if guidance.done:
            self._timer.stop()
            self._beep()
            self.end_button.set_text(text("Show the diagnosis"))

    def _tick_wiggle(self, view: PackView) -> None:
        counts = _dip_counts(view)
        if any(count > self._dips.get(key, 0) for key, count in counts.items()):
            self._beep()
        self._dips = counts
        new = {
            key: count - self._first.get(key, 0)
            for key, count in counts.items()
            if count > self._first.get(key, 0)
        }
        self.dip_count.set_text(str(sum(new.values())))
        by_id = {finding.id: finding for finding in view.findings}
        lines = [
            f"{render(by_id[key].code, by_id[key].parameters, by_id[key].text)} (× {count})"
            for key, count in sorted(new.items(), key=lambda item: -item[1])
            if key in by_id
        ]
        self.dip_words.setText("\n".join(lines) or text("No dip yet."))

    def _end(self) -> None:
        self._timer.stop()
        self.finished_check.emit()
        self.accept()

    def done(self, result: int) -> None:
        """Closed, by whatever way: the clock stops."""
        self._timer.stop()
        super().done(result)


def seen(view: PackView) -> Seen:
    """What the pack does at the view's present moment."""
    readings = read(view, view.now_ns)
    status = view.status.pack
    health = view.analysis.health if isinstance(view, Analysed) else None
    current = readings.field("current")
    return Seen(
        now_ns=view.now_ns,
        current_a=current.value if not current.stale else math.nan,
        cells_v=np.where(readings.cell_stale, np.nan, readings.cells_v),
        capacity_ah=status.capacity_ah,
        cell_voltage_min=status.cell_voltage_min,
        cell_voltage_max=status.cell_voltage_max,
        progress=health.progress if health is not None else {},
    )


def _dip_counts(view: PackView) -> dict[str, int]:
    return {f.id: f.count for f in view.findings if f.code in _DIPS}


def _way_words() -> dict[str, str]:
    return {
        CHARGER: text("A charger"),
        WHEEL: text("The wheel, on a stand"),
        LOAD: text("A load"),
        NOTHING: text("Nothing: the pack only rests"),
    }


def _quantity(name: str) -> str:
    return {
        "rest_voltage_v": text("spread at rest"),
        "soc": text("charge"),
    }.get(name, quantity_words(name)[0].lower())


def _wrapped(words: str, tone: str = "muted") -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    label.setProperty("tone", tone)
    return label


def _row(*buttons: QWidget) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    for button in buttons:
        row.addWidget(button)
    row.addStretch(1)
    return holder
