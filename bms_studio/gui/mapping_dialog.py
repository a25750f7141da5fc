"""What the signals mean: every signal with its role, reason and live value, corrected by hand.

Asks the view and tells it what a person decided; nothing here is sent on the bus. The sign of the
current and the start of an index in the payload are turned with one button each.
"""

import math
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.contract import PackView
from bms_studio.gui.mapping_table import MappingTable
from bms_studio.gui.open_dialogs import choose_target
from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.mapping_view import MappingView, SignView
from bms_studio.phrases import retell
from widgets.panel import Panel
from widgets.search_line import SearchLine
from widgets.text_line import TextLine

ALL, USED = "all", "used"
_REFRESH_MS = 400
_LOWER_PX = 188
_SIGN_TONES = {"agrees": "ok", "contradicts": "high"}


class MappingDialog(QDialog):
    """See the module. `saved(path)` when the profile was written."""

    saved = Signal(object)

    def __init__(
        self, view: PackView, folder: Path, signal: str = "", parent: QWidget | None = None
    ) -> None:
        """signal: "Message.Signal" whose role is to be typed at once, "" none."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("What the signals mean"))
        self._view, self._folder, self._wanted = view, folder, signal
        self._shown_notes: tuple[str, ...] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 14, 18, 14)
        layout.setSpacing(10)
        layout.addLayout(self._make_head())
        layout.addWidget(self._make_table(), 1)
        layout.addLayout(self._make_lower())
        layout.addLayout(self._make_buttons())
        self.resize(1180, 640)
        self.refresh()
        self._timer = QTimer(self, interval=_REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()

    # -- parts ---------------------------------------------------------------------------------

    def _make_head(self) -> QHBoxLayout:
        self.protocol = TextLine(size=16, bold=True, least=160)
        self.confidence = TextLine(tone="muted", least=200)
        self.confidence.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self.protocol)
        row.addWidget(self.confidence, 1)
        return row

    def _make_table(self) -> Panel:
        panel = Panel(text("Signals"))
        panel.set_segments([(ALL, text("All")), (USED, text("With a role"))])
        panel.segment_changed.connect(self._search)
        self.search = SearchLine()
        self.search.setPlaceholderText(text("Signal, role, unit or reason"))
        self.search.setFixedWidth(280)
        self.search.textChanged.connect(self._search)
        panel.add_to_header(self.search)
        self.table = MappingTable()
        self.table.edited.connect(self._edited)
        panel.add(self.table, 1)
        self.panel = panel
        return panel

    def _make_lower(self) -> QHBoxLayout:
        self.sign_panel = Panel(text("Sign of the current"))
        self.sign_state = TextLine(bold=True)
        self.sign_wire = TextLine(tone="muted")
        self.sign_before, self.sign_after = TextLine(), TextLine()
        self.turn = QPushButton(text("Turn the sign"))
        self.turn.setAutoDefault(False)
        self.turn.clicked.connect(self._view.turn_sign)
        self.index_note = TextLine(tone="muted")
        self.index_button = QPushButton()
        self.index_button.setAutoDefault(False)
        self.index_button.clicked.connect(self._count_otherwise)
        for line in (self.sign_state, self.sign_wire, self.sign_before, self.sign_after):
            self.sign_panel.add(line)
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.turn)
        row.addWidget(self.index_button)
        row.addWidget(self.index_note, 1)
        row.addStretch(0)
        self.sign_panel.add(buttons)
        self.sign_panel.add(QWidget(), 1)
        self.notes_panel = Panel(text("Notes and repairs"))
        self.notes = QLabel()
        self.notes.setWordWrap(True)
        self.notes.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        area = QScrollArea()
        area.setWidget(self.notes)
        area.setWidgetResizable(True)
        self.notes_panel.add(area, 1)
        lower = QHBoxLayout()
        lower.setSpacing(10)
        for part in (self.sign_panel, self.notes_panel):
            part.setFixedHeight(_LOWER_PX)
            lower.addWidget(part, 1)
        return lower

    def _make_buttons(self) -> QHBoxLayout:
        self.message = TextLine(tone="muted")
        self.message.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.save_button = QPushButton(text("Save profile…"))
        self.save_button.setAutoDefault(False)
        self.save_button.clicked.connect(self.save)
        close = QPushButton(text("Close"))
        close.setProperty("tone", "primary")
        close.setAutoDefault(False)  # Enter edits in the table
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.message, 1)
        row.addWidget(self.save_button)
        row.addWidget(close)
        self._say(
            text("Double-click a role to correct it. Empty: not used, or again as it was found.")
        )
        return row

    # -- showing -------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Bring values and states up to date."""
        view = self._view.mapping()
        self.table.set_view(view)
        self._show_head(view)
        self._show_sign(view)
        self._show_index(view)
        repaired = (text("Repaired: {what}", what=retell(r)) for r in view.repairs)
        lines = (*(retell(note) for note in view.notes), *repaired)
        if lines != self._shown_notes:
            self._shown_notes = lines
            self.notes.setText("\n".join(lines) or text("Nothing to note."))
        if self._wanted and self.table.choose(self._wanted):
            self._wanted = ""
            self.table.edit_chosen()

    def _show_head(self, view: MappingView) -> None:
        nothing = text("No protocol known yet") if not view.busy else text("Working…")
        self.protocol.set_text(view.title or nothing)
        parts = [text("Working…")] if view.busy and view.title else []
        if view.title:
            percent = number(100 * view.confidence, 0)
            parts.append(text("confidence {percent} %", percent=percent))
        if view.runner_up:
            parts.append(text("or else {name}", name=view.runner_up))
        if view.why:
            parts.append(retell(view.why))
        self.confidence.set_text(" · ".join(parts))
        with_role = sum(bool(row.role) for row in view.rows)
        self.panel.set_caption(
            text("{used} of {all} with a role", used=with_role, all=len(view.rows))
        )

    def _show_sign(self, view: MappingView) -> None:
        sign = view.sign
        self.sign_state.set_text(sign_state_words(sign))
        self.sign_state.set_tone(_SIGN_TONES.get(sign.state, "warn" if sign.wire else "muted"))
        wire = {
            "+discharge": text("On the wire + means discharge."),
            "+charge": text("On the wire + means charge."),
        }
        self.sign_wire.set_text(wire.get(sign.wire, ""))
        before, after = before_and_after(view)
        self.sign_before.set_text(before)
        self.sign_after.set_text(after)
        self.sign_before.setVisible(bool(before))
        self.sign_after.setVisible(bool(after))
        self.turn.setEnabled(bool(sign.wire) and not view.busy)
        tone = "primary" if sign.state == "contradicts" else ""
        if self.turn.property("tone") != tone:
            self.turn.setProperty("tone", tone)
            self.turn.style().unpolish(self.turn)
            self.turn.style().polish(self.turn)

    def _show_index(self, view: MappingView) -> None:
        known = view.first_cell is not None
        self.index_button.setVisible(known)
        self.index_note.setVisible(known)
        if known:
            self.index_button.setText(
                text("Count from {first}", first=1 - int(bool(view.first_cell)))
            )
            self.index_button.setEnabled(not view.busy)
            self.index_note.set_text(
                retell(view.index_note)
                or text("The index counts from {first}.", first=view.first_cell)
            )

    def _say(self, words: str, tone: str = "muted") -> None:
        self.message.set_text(words)
        self.message.set_tone(tone)

    # -- deeds ---------------------------------------------------------------------------------

    def _search(self, _: str = "") -> None:
        self.table.set_search(self.search.text(), self.panel.segment() == USED)

    def _edited(self, name: str, role: str) -> None:
        message, _, signal = name.partition(".")
        try:
            self._view.use_as(message, signal, role)
        except ValueError as problem:
            self._say(str(problem), "high")
            return
        self._say(text("{signal}: everything is derived again.", signal=name), "ok")
        self.refresh()

    def _count_otherwise(self) -> None:
        first = self._view.mapping().first_cell
        if first is not None:
            self._view.count_from(0 if first else 1)

    def save(self) -> None:
        """Ask where, and write the profile there."""
        target = choose_target(
            self, text("Save profile…"), self._folder / "pack.toml", "TOML (*.toml)"
        )
        if target is not None:
            self.save_to(target)

    def save_to(self, target: Path) -> None:
        """Write the profile; a problem becomes one sentence."""
        try:
            self._view.save_profile(target)
        except OSError as problem:
            self._say(f"{target.name}: {problem.strerror or problem}", "high")
            return
        self._say(text("Saved: {path}", path=target), "ok")
        self.saved.emit(target)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.search.setFocus()
            return
        super().keyPressEvent(event)

    def done(self, code: int) -> None:
        """Closing ends the refreshing."""
        self._timer.stop()
        super().done(code)


def sign_state_words(sign: SignView) -> str:
    """The state of the sign with what it rests on."""
    steps = sign.agree + sign.against
    if not sign.wire:
        return text("No current is known.")
    if sign.state == "agrees":
        return text("Agrees: in {agree} of {steps} load steps", agree=sign.agree, steps=steps)
    if sign.state == "contradicts":
        return text(
            "Contradicts the voltages in {against} of {steps} load steps",
            against=sign.against,
            steps=steps,
        )
    return text("Unverified: {steps} clear load steps so far, 6 are needed", steps=steps)


def before_and_after(view: MappingView) -> tuple[str, str]:
    """What turning changes, where the sign contradicts; else nothing."""
    sign = view.sign
    if sign.state != "contradicts":
        return "", ""
    at = next((n for n, row in enumerate(view.rows) if row.role == "pack.current"), -1)
    current_a = float(view.values[at]) if at >= 0 else math.nan
    decimals = view.rows[at].decimals if at >= 0 else 1
    steps = sign.agree + sign.against
    before = text(
        "Now: {current} A, {agree} of {steps} steps agree",
        current=number(current_a, decimals),
        agree=sign.agree,
        steps=steps,
    )
    after = text(
        "Turned: {current} A, {agree} of {steps} steps agree",
        current=number(-current_a, decimals),
        agree=sign.against,
        steps=steps,
    )
    return before, after
