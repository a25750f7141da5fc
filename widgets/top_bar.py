"""The top bar: what is connected and how, what arrives, what is being recorded.

    TopBar(parent=None)
      .set(TopBarState(...))                one frozen dataclass of words and states, at any rate
    signals change_clicked, protocol_clicked, record_clicked, mark_clicked, language_clicked,
            settings_clicked ()
Where the window is narrow, words go in a fixed order (product name, "Mark", language, the words of
the record button, the length of the adapter's name, and below 1280 px the bus load); state, mode,
frames per second, losses and recording never do. All words come from the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QLayout, QSizePolicy, QWidget

from widgets.action_button import ActionButton
from widgets.icons import paint_icon
from widgets.text_line import TextLine
from widgets.theme import Theme, current_theme, semibold

_LINK_TONES = {"connected": "ok", "stale": "warn", "connecting": "warn", "lost": "high"}


@dataclass(frozen=True, slots=True)
class TopBarState:
    """Words and states. link: connected | stale | connecting | lost | replay | none (a filled dot,
    a ring while not connected). mode: the badge's word; mode_tone: a theme colour (listen "ok",
    acknowledge "accent", active "warn"). lost_tone "high" once frames were lost. recording: the dot
    is filled and the button stops. record "" hides the pill and record_button "" the button."""

    product: str = ""
    link: str = "none"
    adapter: str = ""
    protocol: str = ""
    mode: str = ""
    mode_tone: str = "ok"
    change: str = ""
    rate: str = ""
    load: str = ""
    lost: str = ""
    lost_tone: str = "muted"
    recording: bool = False
    record: str = ""
    record_tone: str = "text"
    record_button: str = ""
    mark: str = ""
    language: str = ""
    settings: str = ""
    protocol_hint: str = ""
    load_hint: str = ""
    load_tone: str = "muted"


class Badge(QWidget):
    """A word in a frame of its colour: the bus mode."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._tone = "", "ok"
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set(self, text: str, tone: str) -> None:
        """The word and its theme colour; "" hides the badge."""
        self.setVisible(bool(text))
        if (text, tone) != (self._text, self._tone):
            self._text, self._tone = text, tone
            self.setAccessibleName(text)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(int(QFontMetricsF(semibold(11)).horizontalAdvance(self._text)) + 22, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        color = getattr(current_theme(), self._tone)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(color, 1.2))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.setFont(semibold(11))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)
        painter.end()


class _Dot(QWidget):
    """State of the link or the recording: filled, or a ring."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tone, self._filled = "muted", False
        self.setFixedSize(12, 12)

    def set(self, tone: str, filled: bool) -> None:
        if (tone, filled) != (self._tone, self._filled):
            self._tone, self._filled = tone, filled
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        color = getattr(current_theme(), self._tone)
        painter = QPainter(self)
        if self._filled:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawEllipse(QRectF(1.5, 1.5, 9, 9))
        else:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(color, 1.6))
            painter.drawEllipse(QRectF(2, 2, 8, 8))
        painter.end()


class _Pill(QWidget):
    """A raised frame around a row of parts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(11, 0, 11, 0)
        self.row.setSpacing(8)
        self.setFixedHeight(32)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme: Theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.line, 1))
        painter.setBrush(theme.raised)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        painter.end()


class _Link(TextLine):
    """Words that can be clicked."""

    clicked = Signal()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(
            event.position().toPoint()
        ):
            self.clicked.emit()


class _SettingsButton(ActionButton):
    """Icon only, without a frame."""

    def sizeHint(self) -> QSize:
        return QSize(32, 32)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint_frame(painter)
        theme = current_theme()
        ink: QColor = theme.text if self.underMouse() else theme.muted
        paint_icon(painter, "settings", QRectF(7, 7, 18, 18), ink)
        painter.end()


class TopBar(QWidget):
    """See the module."""

    change_clicked = Signal()
    protocol_clicked = Signal()
    record_clicked = Signal()
    mark_clicked = Signal()
    language_clicked = Signal()
    settings_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(52)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._state = TopBarState()
        self._product = TextLine(size=17, bold=True, least=400)
        self._link_dot, self._record_dot = _Dot(), _Dot()
        self._adapter = TextLine(least=90, middle=True)
        self._protocol = _Link(bold=True, least=96)
        self._protocol.setCursor(Qt.CursorShape.PointingHandCursor)
        self._protocol.clicked.connect(self.protocol_clicked)
        self._mode = Badge()
        self._change = ActionButton(tone="link", size=12)
        self._rate = TextLine(bold=True, steady=True, least=400)
        self._load = TextLine(tone="muted", steady=True, least=400)
        self._lost = TextLine(tone="muted", steady=True, least=400)
        self._record_text = TextLine(bold=True, steady=True, least=400)
        self._record = ActionButton(icon="record", size=13)
        self._mark = ActionButton(icon="mark", size=13)
        self._language = ActionButton(tone="quiet", size=12)
        self._settings = _SettingsButton(tone="quiet")
        self._link_pill, self._record_pill = _Pill(), _Pill()
        self._lay_out()
        self._change.clicked.connect(self.change_clicked)
        self._record.clicked.connect(self.record_clicked)
        self._mark.clicked.connect(self.mark_clicked)
        self._language.clicked.connect(self.language_clicked)
        self._settings.clicked.connect(self.settings_clicked)
        self.set(self._state, force=True)

    def _lay_out(self) -> None:
        pill = self._link_pill.row
        for part in (self._link_dot, self._adapter, self._protocol, self._mode, self._change):
            pill.addWidget(part)
        pill.setContentsMargins(11, 0, 3, 0)
        for part in (self._record_dot, self._record_text):
            self._record_pill.row.addWidget(part)
        row = QHBoxLayout(self)
        row.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)  # `_fit` makes it fit
        row.setContentsMargins(18, 0, 10, 1)
        row.setSpacing(8)
        row.addWidget(self._product)
        row.addSpacing(8)
        row.addWidget(self._link_pill)
        row.addSpacing(8)
        for part in (self._rate, self._load, self._lost):
            row.addWidget(part)
            row.addSpacing(4)
        row.addStretch(1)
        row.addWidget(self._record_pill)
        for button in (self._record, self._mark, self._language, self._settings):
            row.addWidget(button)

    def set(self, state: TopBarState, *, force: bool = False) -> None:
        """Show another state; nothing happens if it is the same."""
        if state == self._state and not force:
            return
        self._state = state
        self._product.set_text(state.product)
        tone = _LINK_TONES.get(state.link, "accent" if state.link == "replay" else "muted")
        self._link_dot.set(tone, state.link in ("connected", "stale", "replay"))
        self._adapter.set_text(state.adapter)
        self._protocol.set_text(state.protocol)
        self._protocol.setToolTip(state.protocol_hint)
        self._protocol.setVisible(bool(state.protocol))
        self._mode.set(state.mode, state.mode_tone)
        self._change.set_text(state.change)
        self._rate.set_text(state.rate)
        self._rate.setVisible(bool(state.rate))
        self._load.set_text(state.load)
        self._load.set_tone(state.load_tone)
        for part in (self._rate, self._load, self._lost):
            part.setToolTip(state.load_hint)
        self._lost.set_text(state.lost)
        self._lost.set_tone(state.lost_tone)
        self._lost.setVisible(bool(state.lost))
        self._record_pill.setVisible(bool(state.record))
        self._record_text.set_text(state.record)
        self._record_text.set_tone(state.record_tone)
        self._record_dot.set(state.record_tone, state.recording)
        self._record.set_text(state.record_button)
        self._record.set_icon("stop" if state.recording else "record")
        self._mark.set_text(state.mark)
        self._language.set_text(state.language)
        self._settings.set_text(state.settings)
        self._settings.setToolTip(state.settings)
        self._settings.setVisible(bool(state.settings))
        self._fit()

    def _fit(self) -> None:
        """Drop words in their order until the bar fits its width."""
        state = self._state
        self._product.setVisible(bool(state.product))
        self._load.setVisible(bool(state.load))
        self._change.setVisible(bool(state.change))
        self._record.setVisible(bool(state.record_button))
        self._mark.setVisible(bool(state.mark))
        self._mark.set_icon_only(False)
        self._record.set_icon_only(False)
        self._language.setVisible(bool(state.language))
        drops: tuple[Callable[[], object], ...] = (
            partial(self._product.setVisible, False),
            partial(self._mark.set_icon_only, True),
            partial(self._language.setVisible, False),
            partial(self._record.set_icon_only, True),
        )
        for drop in drops:
            if self._needed() - self._saved_by_adapter() * 0.35 <= self.width():
                return
            drop()
        if self._needed() - self._saved_by_adapter() > self.width():
            self._load.setVisible(False)
        if self._needed() - self._saved_by_adapter() > self.width():
            self._change.setVisible(False)

    def _needed(self) -> int:
        layout = self.layout()
        if layout is None:
            return 0
        # Qt would tell the outer layout later, by events: the answer is needed now.
        for pill in (self._link_pill, self._record_pill):
            pill.row.invalidate()
            pill.updateGeometry()
        layout.invalidate()
        return layout.sizeHint().width()

    def _saved_by_adapter(self) -> int:
        """Pixels that the adapter's and protocol's names can give up by eliding."""
        return sum(
            line.sizeHint().width() - line.minimumSizeHint().width()
            for line in (self._adapter, self._protocol)
        )

    def minimumSizeHint(self) -> QSize:
        return QSize(700, 52)

    def sizeHint(self) -> QSize:
        return QSize(1280, 52)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.panel)
        painter.fillRect(0, self.height() - 1, self.width(), 1, theme.border)
        painter.end()
