"""The Plots page: any signal by drag, search or double-click onto linked plots; measuring; views.

Holds the cards and the measured range; how a card draws stands in plot_card, what can be drawn in
plot_signals, the arithmetic in bms_studio.measure.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.alert_words import shades
from bms_studio.gui.live_plots import CellColours
from bms_studio.gui.page import Context, Page
from bms_studio.gui.plot_card import PlotCard
from bms_studio.gui.plot_signals import PlotSignal, all_signals
from bms_studio.gui.plot_views import (
    Cards,
    built_in_views,
    current_cards,
    delete_view,
    put_current_cards,
    save_view,
    saved_views,
)
from bms_studio.language import text
from bms_studio.measure import Measure, integral_in_hours, measure_range
from widgets.action_button import ActionButton
from widgets.axes import format_span
from widgets.measure_table import Measurement, MeasureTable
from widgets.panel import Panel
from widgets.plot_stack import PlotStack
from widgets.signal_tree import SignalGroup, SignalItem, SignalTree, decode_keys
from widgets.text_line import TextLine

_SLOW_TICKS = 8


class PlotsPage(Page):
    """See the module."""

    key = "plots"
    icon = "plots"

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.cards: list[PlotCard] = []
        self._signals: dict[str, PlotSignal] = {}
        self._groups: list[SignalGroup] | None = None  # not in the tree yet
        self._known: tuple[object, ...] = ()
        self._measured: tuple[object, ...] = ()
        self._tick = 0
        self._colours = CellColours()
        self._wanted: Cards = current_cards(context.settings)
        self.setAcceptDrops(True)
        self.tree = SignalTree()
        self.tree.set_placeholder(text("Search signals"))
        self.tree.signal_activated.connect(lambda name: self.add_signals([name]))
        self.tree_panel = Panel(text("Signals"))
        self.tree_panel.add(self.tree, 1)
        self.tree_panel.add(
            TextLine(text("Drag onto a plot, or double-click"), tone="muted", size=12)
        )
        self.stack = PlotStack(context.time)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.stack)
        self.nothing = TextLine(tone="muted", size=14, align=Qt.AlignmentFlag.AlignCenter)
        self.table = MeasureTable()
        self.table.set_headers(
            (
                text("Signal"),
                text("Min"),
                text("Max"),
                text("Mean"),
                text("Δ"),
                text("Slope"),
                text("Integral"),
            )
        )
        self.table_panel = Panel(text("Measured range"))
        self.table_panel.add(self.table, 1)
        self.table_panel.setMaximumHeight(230)
        self.table_panel.setMinimumHeight(150)
        self.table_panel.hide()
        context.time.range_changed.connect(self._range_changed)
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addLayout(self._make_bar())
        right.addWidget(self.nothing, 1)
        right.addWidget(area, 4)
        right.addWidget(self.table_panel, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self.tree_panel)
        row.addLayout(right, 1)
        self._area = area

    def _make_bar(self) -> QHBoxLayout:
        self.views = QComboBox()
        self.views.setMinimumWidth(200)
        self.views.activated.connect(self._view_chosen)
        save = ActionButton(text("Save this view…"), size=12)
        save.clicked.connect(self._save_view)
        self.delete = ActionButton(text("Delete view"), "", "quiet", size=12)
        self.delete.clicked.connect(self._delete_view)
        measure = ActionButton(text("Measure a range"), size=12)
        measure.clicked.connect(lambda: self.context.do("measure"))
        fit = ActionButton(text("Fit"), size=12)
        fit.clicked.connect(lambda: self.context.do("autorange"))
        picture = ActionButton(text("Save a picture…"), size=12)
        picture.clicked.connect(lambda: self.context.do("picture"))
        row = QHBoxLayout()
        row.setSpacing(6)
        for widget in (self.views, save, self.delete):
            row.addWidget(widget)
        row.addStretch(1)
        for widget in (measure, fit, picture):
            row.addWidget(widget)
        self._list_views()
        return row

    # -- the view and the clock ----------------------------------------------------------------

    def view_changed(self) -> None:
        self._known, self._measured, self._tick = (), (), 0
        view = self.context.view
        if view is None:
            self._signals, self._groups = {}, None
            self.tree.set_groups([])
        else:
            self._learn_signals()
        self._show_cards(self._wanted)
        self._range_changed(self.context.time.range_ns)

    def refresh(self) -> None:
        view = self.context.view
        if view is None:
            return
        self._fill_tree()
        if self._tick % _SLOW_TICKS == 0:
            self._learn_signals()
            readings = self.context.readings()
            if readings is not None:
                named = self._colours.named(self.context, readings)
                for card in self.cards:
                    card.name_outliers(named)
            alerts = shades(view)
            silent = [replace(shade, label="") for shade in alerts]
            for number, card in enumerate(self.cards):
                card.set_shades(silent if number else alerts)  # said once
        self._tick += 1
        self.stack.refresh()
        self._refresh_measures()

    def _learn_signals(self) -> None:
        """The tree again, when the pack or its databases turned out to have more."""
        view = self.context.view
        assert view is not None
        timeline = view.timeline
        known = (
            self.context.pack,
            timeline.groups(),
            tuple(len(timeline.columns(group)) for group in timeline.groups()),
            len(view.database_messages()),
        )
        if known == self._known:
            return
        self._known = known
        signals = all_signals(view, self.context.prefix)
        self._signals = {signal.name: signal for signal in signals}
        groups = [
            SignalGroup(
                folder,
                tuple(SignalItem(s.name, s.label, s.unit, s.message) for s in members),
                open=number == 0,
            )
            for number, (folder, members) in enumerate(groupby(signals, key=lambda s: s.folder))
        ]
        self._groups = groups
        if self.isVisible():
            self._fill_tree()
        for card in self.cards:
            card.refresh_labels(view)
        if any(name not in self._shown_names() for card in self._wanted for name in card):
            self._show_cards(self._wanted)

    def _fill_tree(self) -> None:
        """Thousands of rows take a while: only for a page that is looked at, and once."""
        if self._groups is not None:
            self.tree.set_groups(self._groups)
            self._groups = None

    # -- cards ---------------------------------------------------------------------------------

    def add_signals(self, names: Sequence[str], onto: PlotCard | None = None) -> None:
        """Plot signals: on the given card where the unit fits, else on plots of their own."""
        view = self.context.view
        if view is None:
            return
        cards = [list(card) for card in self._wanted]
        for name in names:
            signal = self._signals.get(name)
            if signal is None or any(name in card for card in cards):
                continue
            if signal.message:
                view.add_signals(signal.message)
            if onto is not None and onto.takes(signal):
                cards[self.cards.index(onto)].append(name)
            else:
                cards.append([name])
        self.set_cards(cards)

    def show_cell(self, cell: int) -> None:
        """The plots of one cell."""
        self.set_cards([[f"cell.{cell}.voltage"], [f"cell.{cell}.deviation"], ["pack.current"]])

    def set_cards(self, cards: Cards) -> None:
        """Show these plots and remember them."""
        self._wanted = cards
        put_current_cards(self.context.settings, cards)
        self._show_cards(cards)

    def _shown_names(self) -> set[str]:
        return {name for card in self.cards for name in card.names}

    def _show_cards(self, cards: Cards) -> None:
        for card in self.cards:
            card.hide()
            self.stack.remove(card)
        self.cards = []
        self._tick = 0
        view = self.context.view
        for names in cards if view is not None else []:
            signals = [self._signals[name] for name in names if name in self._signals]
            if not signals or view is None:
                continue
            for signal in signals:
                if signal.message:
                    view.add_signals(signal.message)
            card = PlotCard(self.context)
            card.show_signals(signals, view)
            card.closed.connect(lambda card=card: self._remove(card))
            card.dropped.connect(lambda names, card=card: self.add_signals(names, card))
            self.cards.append(card)
        for number, card in enumerate(self.cards):
            self.stack.add(card, 1, time_axis=number == len(self.cards) - 1)
        self.nothing.setVisible(not self.cards)
        self._area.setVisible(bool(self.cards))
        self.nothing.set_text(
            text("Drag a signal here")
            if view is not None
            else text("Nothing is open: connect to a pack or open a recording.")
        )
        self._measured = ()

    def _remove(self, card: PlotCard) -> None:
        gone = card.names
        self.set_cards([names for names in self._wanted if names != gone])

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if decode_keys(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        names = decode_keys(event.mimeData())
        if names:
            event.acceptProposedAction()
            self.add_signals(names)

    # -- measuring -----------------------------------------------------------------------------

    def autorange(self) -> None:
        self.stack.autorange()

    def measure(self) -> None:
        self.context.time.toggle_range()

    def _range_changed(self, range_ns: tuple[int, int] | None) -> None:
        self.table_panel.setVisible(range_ns is not None and self.context.view is not None)
        self._measured = ()

    def _refresh_measures(self) -> None:
        view, range_ns = self.context.view, self.context.time.range_ns
        if view is None or range_ns is None:
            return
        # A range that reaches into the present goes on growing; once a second is enough.
        newest = view.now_ns // 1_000_000_000 if range_ns[1] > view.now_ns else 0
        key = (range_ns, newest, tuple(tuple(card.names) for card in self.cards))
        if key == self._measured:
            return
        self._measured = key
        self.table.set_caption(
            text("{span} · Ctrl+C copies", span=format_span(range_ns[1] - range_ns[0]))
        )
        self.table.set_rows([row for card in self.cards for row in self._rows(card, *range_ns)])

    def _rows(self, card: PlotCard, t0: int, t1: int) -> list[Measurement]:
        view = self.context.view
        assert view is not None
        rows = []
        for position, signal in enumerate(card.signals):
            columns = signal.measured_columns(view)
            measures = measure_range(view.timeline, signal.group, columns, t0, t1)
            for column, measure in zip(columns, measures, strict=True):
                label = signal.column_label(column, view)
                if not measure.exact:
                    label = f"≈ {label}"
                rows.append(measurement(label, signal, measure, card, position))
        return rows

    # -- saved views ---------------------------------------------------------------------------

    def _list_views(self, chosen: str = "") -> None:
        self.views.clear()
        self.views.addItem(text("Views"), None)
        for name, cards in built_in_views().items():
            self.views.addItem(name, cards)
        self._own_from = self.views.count()
        for name, cards in saved_views(self.context.settings).items():
            self.views.addItem(name, cards)
        self.views.setCurrentIndex(max(self.views.findText(chosen), 0))
        self.delete.setVisible(self.views.currentIndex() >= self._own_from)

    def _view_chosen(self, index: int) -> None:
        cards = self.views.itemData(index)
        self.delete.setVisible(index >= self._own_from)
        if cards:
            self.set_cards([list(card) for card in cards])

    def _save_view(self) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(text("Save this view…"))
        dialog.setLabelText(text("Name of the view"))
        dialog.setOkButtonText(text("Save"))
        dialog.setCancelButtonText(text("Cancel"))
        dialog.textValueSelected.connect(self.save_view)
        dialog.open()

    def save_view(self, name: str) -> None:
        """Remember the plots shown under this name."""
        if name.strip():
            save_view(self.context.settings, name.strip(), self._wanted)
            self._list_views(name.strip())

    def _delete_view(self) -> None:
        delete_view(self.context.settings, self.views.currentText())
        self._list_views()


def measurement(
    label: str, signal: PlotSignal, measure: Measure, card: PlotCard, position: int
) -> Measurement:
    """A row of the table, in the units of the screen."""
    factor = signal.factor
    low, high = sorted((measure.minimum * factor, measure.maximum * factor))
    integral, unit = integral_in_hours(signal.unit, measure.integral * factor)
    return Measurement(
        label,
        signal.unit,
        low,
        high,
        measure.mean * factor,
        measure.delta * factor,
        measure.slope * factor,
        integral,
        integral_unit=unit,
        color=card.colour_of(position),
    )
