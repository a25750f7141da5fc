"""What the pack is, asked where nobody has said it: chemistry and rated capacity in one row.

Says what the person chose; what follows from it is settled elsewhere.
"""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bms_studio.language import text
from bms_studio.pack.chemistry import NAMES
from widgets.action_button import ActionButton

_MOST_AH = 1000.0


class PackRow(QWidget):
    """See the module. `stated` has the chemistry ("" not known) and the capacity in Ah (0)."""

    stated = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        why = QLabel(text("What is this pack? Without it charge, limits and margin stay unknown."))
        why.setWordWrap(True)
        why.setProperty("tone", "warn")
        self.chemistry = QComboBox()
        self.chemistry.addItem(text("chemistry unknown"), "")
        for name in NAMES:
            self.chemistry.addItem(name, name)
        self.capacity = QDoubleSpinBox()
        self.capacity.setRange(0.0, _MOST_AH)
        self.capacity.setDecimals(1)
        self.capacity.setSuffix(" Ah")
        self.capacity.setSpecialValueText(text("capacity unknown"))
        self.capacity.setMinimumWidth(150)
        self.use = ActionButton(text("Use"), least=70)
        self.use.clicked.connect(self._use)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        for part in (self.chemistry, self.capacity, self.use):
            row.addWidget(part)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(4)
        column.addWidget(why)
        column.addLayout(row)

    def _use(self) -> None:
        chemistry, capacity = str(self.chemistry.currentData()), self.capacity.value()
        if chemistry or capacity:
            self.stated.emit(chemistry, capacity)
