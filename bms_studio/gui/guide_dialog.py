"""The guided check: what can move current, then step by step until the data suffice.

Stays beside the window, which goes on showing the pack. Nothing is transmitted; the words follow
what the pack does. The wiggle test ticks at every dip while somebody bends cables and joints.
"""

import math
from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.contract import Analysed, PackView, Recordable
from bms_studio.gui.guide_pack import PackRow
from bms_studio.gui.guide_seen import dip_counts, seen
from bms_studio.gui.guide_sound import Tick
from bms_studio.gui.header import verdict_word
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.gui.risk_words import duration_words
from bms_studio.guided_test import (
    CHARGER,
    LOAD,
    NOTHING,
    PLANS,
    WHEEL,
    Guidance,
    GuidedTest,
    Seen,
)
from bms_studio.language import text
from bms_studio.messages import render
from widgets.action_button import ActionButton
from widgets.meters import MeterRow, Meters
from widgets.panel import Panel
from widgets.text_line import TextLine

_TICK_MS = 200
_RED_TICKS = 4
_JUDGE_FROM = 4
# At the end: the newest evaluation may be so old, and is waited for so long; and its verdict.
_RECENT_NS = 3_000_000_000
_WAIT_TICKS, _AFTER_TICKS = 75, 10
_JUDGE_TICKS = 50  # a fresh evaluation every ten seconds: somebody waits for it


class GuideDialog(QDialog):
    """See the module. Emits `finished_check` when the data suffice or the person ends it, and
    `report_wanted` with what moved current ("charger", "wheel", "load", "nothing")."""

    finished_check = Signal()
    report_wanted = Signal(str)

    def __init__(
        self,
        view: Callable[[], PackView | None],
        parent: QWidget | None = None,
        sound: Tick | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("Check a pack"))
        self.setModal(False)
        self.resize(540, 560)
        self._view, self.sound = view, sound or Tick()
        self._test: GuidedTest | None = None
        self._dips: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._wiggling = False
        self._ticks = self._red = self._over = self._ended_ns = 0
        self._layers = QStackedLayout(self)
        self._layers.setContentsMargins(12, 12, 12, 12)
        self._layers.addWidget(self._make_choice())
        self._layers.addWidget(self._make_run())
        self._layers.addWidget(self._make_wiggle())
        self._timer = QTimer(self, interval=_TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._show_pack()

    # -- building ------------------------------------------------------------------------------

    def _make_choice(self) -> QWidget:
        panel = Panel(text("What can move current?"))
        panel.add(_wrapped(text("Nothing is sent to the pack. About ten minutes in all.")))
        self.pack_row = PackRow()
        self.pack_row.stated.connect(self._state_pack)
        panel.add(self.pack_row)
        for way, words in _way_words().items():
            plan = PLANS[way]
            button = ActionButton(words, least=220)
            button.clicked.connect(lambda _checked=False, chosen=way: self.start(chosen))
            row = QVBoxLayout()
            row.setSpacing(2)
            row.addWidget(button)
            decides = text(", ").join(_quantity(name) for name in plan.decides)
            missing = text(", ").join(_quantity(name) for name in plan.cannot)
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
        self.turn = ActionButton(text("Turn the sign"))
        self.turn.clicked.connect(self._turn_sign)
        self.turn.hide()
        self.meters = Meters()
        self.unknown = _wrapped("")
        self.outcome = _wrapped("", "heading")
        for part in (
            self.step_line,
            self.instruction,
            self.doing,
            self.warning,
            self.turn,
            self.meters,
            self.unknown,
            self.outcome,
        ):
            panel.add(part)
        panel.add(QWidget(), 1)
        self.end_button = ActionButton(text("End and show the diagnosis"), tone="primary")
        self.end_button.clicked.connect(self._end)
        self.report_button = ActionButton(text("Report…"))
        self.report_button.clicked.connect(self._report)
        again = ActionButton(text("Back"), least=90)
        again.clicked.connect(self.choose_again)
        panel.add(_row(self.end_button, self.report_button, again))
        return panel

    def _make_wiggle(self) -> QWidget:
        panel = Panel(text("Wiggle test"))
        panel.add(_wrapped(text("Bend one cable or joint after another; listen for the tick.")))
        self.dip_count = TextLine("0", size=40, bold=True)
        self.dip_words = _wrapped("")
        self.sound_words = _wrapped("")
        for part in (self.dip_count, self.dip_words, self.sound_words):
            panel.add(part)
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
        self._show_pack()
        self._layers.setCurrentIndex(0)

    def start(self, way: str) -> None:
        """Begin the steps of a way of moving current."""
        self._test, self._ticks, self._over = GuidedTest(PLANS[way]), 0, 0
        self.outcome.setText("")
        self.end_button.set_text(text("End and show the diagnosis"))
        self.report_button.hide()
        self._layers.setCurrentIndex(1)
        self._timer.start()
        self.tick()

    def wiggle(self) -> None:
        """Begin to tick at dips; those before do not count."""
        view = self._view()
        self._dips = dip_counts(view) if view is not None else {}
        self._first = dict(self._dips)
        self._wiggling = True
        self.sound.play()  # so that everybody knows what to listen for, or that there is nothing
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
        now = seen(view)
        guidance = test.update(now)
        if guidance.done and not self._over:
            self._ended_ns = now.now_ns - _RECENT_NS
        self._ticks += 1
        # The first steps say little: judged from them alone, cells are easily wronged.
        if self._ticks % _JUDGE_TICKS == 0 and guidance.step >= _JUDGE_FROM:
            self._judge(view)
        self.step_line.set_text(_step_words(guidance))
        words = render(guidance.code)
        if guidance.step_left_s:
            words += f"  {math.ceil(guidance.step_left_s)} s"
        self.instruction.setText(words)
        waits = not guidance.doing and not guidance.done
        self.doing.setText(_waiting_words(now) if waits else "")
        warning = render(guidance.warning, {"cell": guidance.warning_cell})
        self.warning.setText(f"⚠ {warning}" if guidance.warning else "")
        self.turn.setVisible(guidance.warning == "guide.other_way")
        self.meters.set_rows(
            [
                MeterRow(_quantity(name), share, f"{math.floor(100 * share)} %")
                for name, share in guidance.meters
            ]
        )
        self.unknown.setText("\n".join(_open_words(guidance)))
        if guidance.done and not self._over:
            self._over = self._ticks
            self._judge(view)
            self.sound.play()
            self.end_button.set_text(text("Show the diagnosis"))
        if guidance.done:
            self._show_verdict(view)

    def _show_verdict(self, view: PackView) -> None:
        """What came of it, once the last evaluation is made, or after a while without one."""
        waited = self._ticks - self._over
        health = view.analysis.health if isinstance(view, Analysed) else None
        fresh = health is not None and health.time >= self._ended_ns
        if not fresh and waited < _WAIT_TICKS:
            self.outcome.setText(text("Judging…"))
            return
        verdict = view.status.verdict
        if waited < _AFTER_TICKS:  # the verdict follows the evaluation within a second
            return
        self._timer.stop()
        if verdict is not None:
            said, action = render(*verdict.headline), render(*verdict.next_action)
            words = text("{check}: {result}", check=verdict_word(verdict.code), result=said)
            self.outcome.setText(words + "\n" + text("Next: {action}", action=action))
        self.report_button.show()

    def _judge(self, view: PackView) -> None:
        if isinstance(view, Recordable):
            view.judge_soon()

    def _turn_sign(self) -> None:
        view = self._view()
        if view is not None:
            view.turn_sign()

    def _show_pack(self) -> None:
        """Ask for chemistry and capacity where nobody has stated them."""
        view = self._view()
        pack = view.status.pack if view is not None else None
        unknown = pack is not None and not (pack.chemistry and pack.capacity_ah)
        self.pack_row.setVisible(unknown and isinstance(view, Recordable))

    def _state_pack(self, chemistry: str, capacity_ah: float) -> None:
        view = self._view()
        if isinstance(view, Recordable):
            view.state_pack(chemistry, capacity_ah)
            self.pack_row.hide()

    def _tick_wiggle(self, view: PackView) -> None:
        counts = dip_counts(view)
        dipped = any(count > self._dips.get(key, 0) for key, count in counts.items())
        if dipped:
            self.sound.play()
        self.sound.look()
        self._red = _RED_TICKS if dipped else max(self._red - 1, 0)
        self.dip_count.set_tone("high" if self._red else "text")  # seen as well as heard
        self.sound_words.setText(_sound_words(self.sound.state))
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

    def _report(self) -> None:
        way = self._test.plan.way if self._test is not None else NOTHING
        self._end()
        self.report_wanted.emit(way)

    def done(self, result: int) -> None:
        """Closed, by whatever way: the clock stops."""
        self._timer.stop()
        self.sound.close()
        super().done(result)


def _step_words(guidance: Guidance) -> str:
    if guidance.done:
        return text("over")
    return text(
        "step {step} of {steps} · about {left} left",
        step=guidance.step + 1,
        steps=guidance.steps,
        left=duration_words(guidance.left_s),
    )


def _waiting_words(now: Seen) -> str:
    if math.isnan(now.current_a):
        return text("This bus tells no current: only rest can be judged here.")
    flows = text("now: {current} A", current=number(now.current_a, 1, sign=True))
    return text("Waiting for the pack to do so…") + " " + flows


def _open_words(guidance: Guidance) -> list[str]:
    """What stays unknown: because nobody said what the pack is, or because too little was seen."""
    lines = [
        text("Not to be decided: {what} ({why})", what=_quantity(name), why=render(code))
        for name, code in guidance.blocked
    ]
    if guidance.missing:
        names = text(", ").join(_quantity(name) for name in guidance.missing)
        lines.append(text("Still unknown: {what}", what=names))
    return lines


def _sound_words(state: str) -> str:
    return {
        "plays": text("One tick was played just now: that is how a dip sounds."),
        "silent": text("This computer gives no sound: watch the number, it turns red at a dip."),
    }.get(state, "")


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
