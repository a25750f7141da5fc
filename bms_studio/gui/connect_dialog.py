"""Connect: where is the pack, which adapter, and what a two-second listen hears.

Asks and tests; connecting itself is the window's business. The bus mode follows from where the pack
is: alone on a cable somebody has to acknowledge its frames, in a vehicle nobody may disturb it.
What mode active sends stands there before anything is sent.
"""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.adapter_list import AdapterList
from bms_studio.gui.bus_strip import BusStrip
from bms_studio.gui.contract import AdapterChoice, ConnectSettings, LinkTest, SessionSource
from bms_studio.jobs import Job
from bms_studio.language import text
from bms_studio.messages import offer_words
from bms_studio.status import Offer

BITRATES = (125_000, 250_000, 500_000, 800_000, 1_000_000)
INTERFACES = ("slcan", "socketcan", "pcan", "vector", "kvaser", "gs_usb", "ixxat", "virtual")


class ConnectDialog(QDialog):
    """Emits `chosen(settings, record)` and closes."""

    chosen = Signal(object, bool)

    def __init__(
        self, source: SessionSource, last: ConnectSettings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("Connect to a pack"))
        self._source = source
        self._last = last
        self._listing: Job | None = None
        self._testing: Job | None = None
        self._probing: Job | None = None
        self._heard = False  # frames, in the newest test
        self._timer = QTimer(self, interval=50)
        self._timer.timeout.connect(self._poll)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(12)
        layout.addWidget(_title(text("Where is the pack?")))
        layout.addLayout(self._make_place())
        head = QHBoxLayout()
        head.addWidget(_title(text("Adapter")), 1)
        again = QPushButton(text("Search again"))
        again.setProperty("tone", "quiet")
        again.setAutoDefault(False)
        again.clicked.connect(self.refresh)
        head.addWidget(again)
        layout.addLayout(head)
        layout.addWidget(self._make_adapters())
        layout.addLayout(self._make_bus())
        layout.addLayout(self._make_fold())
        layout.addWidget(self._make_test())
        self.bus = BusStrip()
        self.bus.accepted.connect(self._accept)
        self.bus.changed.connect(self._fit)
        self.adapters.changed.connect(self._fit)
        layout.addWidget(self.bus)
        layout.addLayout(self._make_buttons())
        self.setMinimumWidth(680)
        self.protocol.currentIndexChanged.connect(self._mode_changed)
        self._mode_changed()
        self.refresh()

    def _make_place(self) -> QVBoxLayout:
        self.alone = QRadioButton(text("Alone on this cable, on the bench"))
        self.vehicle = QRadioButton(text("In a vehicle, or with other devices"))
        self.active = QRadioButton(text("Active: this BMS has to be asked"))
        group = QButtonGroup(self)
        column = QVBoxLayout()
        column.setSpacing(4)
        notes = (
            text("Mode acknowledge: the adapter acknowledges frames; nothing else is sent."),
            text("Mode listen: nothing at all is sent, not even an acknowledge."),
            text("Mode active: requests are sent on the bus."),
        )
        for button, note in zip((self.alone, self.vehicle, self.active), notes, strict=True):
            group.addButton(button)
            button.setToolTip(note)
            column.addWidget(button)
        self.mode_note = QLabel()
        self.mode_note.setProperty("tone", "muted")
        self.mode_note.setWordWrap(True)
        column.addWidget(self.mode_note)
        places = {"acknowledge": self.alone, "active": self.active}
        places.get(self._last.mode, self.vehicle).setChecked(True)
        self.active.setVisible(self.active.isChecked())
        group.buttonToggled.connect(self._mode_changed)
        return column

    def _make_adapters(self) -> AdapterList:
        self.adapters = AdapterList()
        self.adapters.chosen.connect(self._adapter_chosen)
        self.adapters.tried.connect(self._try_port)
        return self.adapters

    def _make_bus(self) -> QHBoxLayout:
        self.bitrate = QComboBox()
        self.bitrate.addItem(text("Find it (listens only)"), 0)
        for rate in BITRATES:
            self.bitrate.addItem(f"{rate // 1000} kbit/s", rate)
        self.bitrate.setCurrentIndex(max(self.bitrate.findData(self._last.bitrate), 0))
        self.protocol = QComboBox()
        self.protocol.addItem(text("Find it"), "")
        for name in self._source.protocols():
            self.protocol.addItem(name, name)
        self.protocol.setCurrentIndex(max(self.protocol.findData(self._last.protocol), 0))
        row = QHBoxLayout()
        row.setSpacing(10)
        for label, box in ((text("Bitrate"), self.bitrate), (text("Protocol"), self.protocol)):
            row.addWidget(QLabel(label))
            row.addWidget(box, 1)
        return row

    def _make_fold(self) -> QVBoxLayout:
        self.fold = QPushButton(text("More…"))
        self.fold.setProperty("tone", "quiet")
        self.fold.setCheckable(True)
        self.fold.setAutoDefault(False)
        self._rest = QWidget()
        form = QFormLayout(self._rest)
        form.setContentsMargins(0, 0, 0, 0)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self.interface = QComboBox()
        self.interface.setEditable(True)
        self.interface.addItems(INTERFACES)
        self.interface.setCurrentText(self._last.interface)
        self.channel = QLineEdit(self._last.channel)
        self.channel.setPlaceholderText(text("for example COM5, can0 or socket://host:port"))
        self.profile = QLineEdit(self._last.profile)
        self.databases = QLineEdit("; ".join(self._last.databases))
        self.data_bitrate = QComboBox()
        self.data_bitrate.addItem(text("Classic CAN"), 0)
        for megabit in (1, 2, 4, 5, 8):
            self.data_bitrate.addItem(f"CAN FD, {megabit} Mbit/s", megabit * 1_000_000)
        fd_index = self.data_bitrate.findData(self._last.data_bitrate if self._last.fd else 0)
        self.data_bitrate.setCurrentIndex(max(fd_index, 0))
        form.addRow(text("Interface"), self.interface)
        form.addRow(text("Channel"), self.channel)
        form.addRow(text("Frame format"), self.data_bitrate)
        form.addRow(text("Pack profile"), self._with_browse(self.profile, "*.toml", several=False))
        form.addRow(
            text("Databases"),
            self._with_browse(self.databases, "*.dbc *.kcd *.sym *.arxml", several=True),
        )
        self._rest.hide()
        self.fold.toggled.connect(self._unfold)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.fold, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._rest)
        return column

    def _with_browse(self, line: QLineEdit, pattern: str, several: bool) -> QWidget:
        button = QPushButton("…")
        button.setAutoDefault(False)
        button.setFixedWidth(44)
        button.setToolTip(text("Choose a file"))

        def browse() -> None:
            names, _ = QFileDialog.getOpenFileNames(self, text("Choose a file"), "", pattern)
            if names:
                line.setText("; ".join(names) if several else names[0])

        button.clicked.connect(browse)
        row = QWidget()
        inside = QHBoxLayout(row)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(line, 1)
        inside.addWidget(button)
        return row

    def _make_test(self) -> QWidget:
        self.test_button = QPushButton(text("Test for 2 s"))
        self.test_button.setAutoDefault(False)
        self.test_button.clicked.connect(self.test)
        self.outcome = QLabel(text("Not tested yet."))
        self.outcome.setWordWrap(True)
        row = QWidget()
        inside = QHBoxLayout(row)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(12)
        inside.addWidget(self.test_button)
        inside.addWidget(self.outcome, 1)
        return row

    def _make_buttons(self) -> QHBoxLayout:
        cancel = QPushButton(text("Cancel"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.connect_button = QPushButton(text("Connect"))
        self.connect_button.setAutoDefault(False)
        self.connect_button.clicked.connect(lambda: self._choose(False))
        self.record_button = QPushButton(text("Connect and record"))
        self.record_button.setProperty("tone", "primary")
        self.record_button.setDefault(True)
        self.record_button.clicked.connect(lambda: self._choose(True))
        row = QHBoxLayout()
        row.addWidget(cancel)
        row.addStretch(1)
        row.addWidget(self.connect_button)
        row.addWidget(self.record_button)
        return row

    # -- state ---------------------------------------------------------------------------------

    def settings(self) -> ConnectSettings:
        """What the fields say now."""
        mode = "listen"
        if self.alone.isChecked():
            mode = "acknowledge"
        elif self.active.isChecked():
            mode = "active"
        data_bitrate = int(self.data_bitrate.currentData())
        databases = [name.strip() for name in self.databases.text().split(";")]
        return ConnectSettings(
            interface=self.interface.currentText().strip(),
            channel=self.channel.text().strip(),
            bitrate=int(self.bitrate.currentData()),
            mode=mode,
            protocol=str(self.protocol.currentData()),
            profile=self.profile.text().strip(),
            databases=tuple(name for name in databases if name),
            fd=data_bitrate > 0,
            data_bitrate=data_bitrate,
        )

    def refresh(self) -> None:
        """Look for adapters again."""
        self._listing = self._source.adapters()
        self._timer.start()

    def test(self) -> None:
        """Listen for at most two seconds and say what was heard; in mode active, ask first."""
        if self._testing is not None:
            self._testing.cancel()
        settings = self.settings()
        if not settings.interface or not settings.channel:
            self._say(text("Choose an adapter first, or name one under More."), "high")
            return
        self.test_button.setEnabled(False)
        self.bus.show_word(None)
        asking = settings.mode == "active" and self._questions() is not None
        self._say(text("Asking…") if asking else text("Listening…"), "muted")
        self._testing = self._source.test(settings)
        self._timer.start()

    def _try_port(self, channel: str) -> None:
        self._probing = self._source.probe(channel)
        self._timer.start()

    def _questions(self) -> Offer | None:
        """What asking the chosen protocol sends."""
        return self._source.questions(str(self.protocol.currentData()))

    def _accept(self, offer: Offer) -> None:
        """Do what was offered after a test, and test again."""
        # Out of silence a pack is asked at the bitrate that the offer names.
        named = offer.deed == "bitrate" or not self._heard
        if offer.bitrate and (named or not self.bitrate.currentData()):
            self.bitrate.setCurrentIndex(max(self.bitrate.findData(offer.bitrate), 0))
        if offer.deed == "acknowledge":
            self.alone.setChecked(True)
        elif offer.deed == "hush":
            self.vehicle.setChecked(True)
        elif offer.deed == "ask":
            self.protocol.setCurrentIndex(max(self.protocol.findData(offer.protocol), 0))
            self.active.setChecked(True)
        self.test()

    def _unfold(self, shown: bool) -> None:
        self._rest.setVisible(shown)
        self.active.setVisible(shown or self.active.isChecked())
        self.fold.setText(text("Less") if shown else text("More…"))
        self._fit()

    def _fit(self) -> None:
        """As high as the words need: wrapped lines change it. Once all of them are in place."""
        QTimer.singleShot(0, self, self._fit_now)

    def _fit_now(self) -> None:
        layout = self.layout()
        if layout is not None:
            layout.activate()
            self.resize(self.width(), max(layout.totalHeightForWidth(self.width()), 1))

    def _mode_changed(self) -> None:
        for button in (self.vehicle, self.alone, self.active):
            if button.isChecked():
                self.mode_note.setText(button.toolTip())
        offer = self._questions() if self.active.isChecked() else None
        if self.active.isChecked():
            self.active.setVisible(True)
            self.mode_note.setText(
                offer_words(offer, means=True)
                if offer is not None
                else text("Mode active: choose below the protocol that has to be asked.")
            )
        self.test_button.setText(text("Ask for 3 s") if offer else text("Test for 2 s"))

    def _adapter_chosen(self, found: AdapterChoice) -> None:
        self.interface.setCurrentText(found.interface)
        self.channel.setText(found.channel)

    def _poll(self) -> None:
        if self._listing is not None and self._listing.done:
            job, self._listing = self._listing, None
            self._show_adapters(job)
        if self._testing is not None and self._testing.done:
            job, self._testing = self._testing, None
            self._show_test(job)
        if self._probing is not None and self._probing.done:
            job, self._probing = self._probing, None
            good = bool(job.result) and not job.error
            self.adapters.show_tried(str(job.result) if good else job.error, good)
        if self._listing is None and self._testing is None and self._probing is None:
            self._timer.stop()

    def _show_adapters(self, job: Job) -> None:
        choices = job.result if isinstance(job.result, list) else []
        # What was used last stands first; the settings of this window count when it is there.
        self.adapters.show_choices(
            choices,
            (self._last.interface, self._last.channel),
            job.error or text("No adapter found: plug one in, or name it under More."),
        )

    def _show_test(self, job: Job) -> None:
        self.test_button.setEnabled(True)
        result = job.result
        if not isinstance(result, LinkTest):
            self._say(job.error or text("The test was cancelled."), "high")
            return
        if result.message:
            self._say(result.message, "high")
            return
        self._heard = result.frames_per_s > 0
        # With cells there is nothing to mend, and the questions ended with the test.
        self.bus.show_word(None if result.cells else result.bus)
        found = self.bitrate.findData(result.bitrate)
        if found > 0 and result.frames_per_s:
            self.bitrate.setCurrentIndex(found)
        sure = text("confidence {percent:.0f} %", percent=100 * result.confidence)
        parts = [
            text("{rate:.0f} frames/s", rate=result.frames_per_s),
            text("{kbit} kbit/s", kbit=f"{result.bitrate / 1000:g}" if result.bitrate else "–"),
            result.protocol or text("no known protocol"),
            sure if result.protocol and result.confidence else "",
            text("else {protocol}", protocol=result.runner_up) if result.runner_up else "",
            text("{cells} cells", cells=result.cells or "–"),
            result.note,
        ]
        self._say(" · ".join(part for part in parts if part), "ok" if result.cells else "warn")
        self._fit()

    def _say(self, words: str, tone: str) -> None:
        self.outcome.setText(words)
        self.outcome.setProperty("tone", tone)
        self.outcome.style().unpolish(self.outcome)
        self.outcome.style().polish(self.outcome)

    def _choose(self, record: bool) -> None:
        settings = self.settings()
        if not settings.interface or not settings.channel:
            self._say(text("Choose an adapter first, or name one under More."), "high")
            return
        self.chosen.emit(settings, record)
        self.accept()

    def done(self, code: int) -> None:
        """Closing ends a running test."""
        self._timer.stop()
        if self._testing is not None:
            self._testing.cancel()
        super().done(code)


def _title(words: str) -> QLabel:
    label = QLabel(words)
    label.setProperty("tone", "title")
    return label
