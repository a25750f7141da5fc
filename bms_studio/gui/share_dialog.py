"""A copy to give away: what shall be left out, said before it is written."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bms_studio.language import text
from widgets.action_button import ActionButton


class ShareDialog(QDialog):
    """`chosen(without)`: words of `bms_studio.share.CHOICES` joined by commas."""

    chosen = Signal(str)

    def __init__(self, name: str, has_location: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("Save a copy to share"))
        self.location = QCheckBox(text("Leave out the location"))
        self.serial = QCheckBox(text("Leave out serial numbers"))
        self.location.setChecked(True)
        self.serial.setChecked(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(8)
        column.addWidget(_words(text("A copy of {name} without:", name=name)))
        column.addWidget(self.location)
        column.addWidget(
            _words(
                text("Latitude, longitude, speed and odometer, and the frames that carry them.")
                if has_location
                else text("No location is shown here; frames that carry one are looked for."),
                26,
            )
        )
        column.addWidget(self.serial)
        column.addWidget(
            _words(
                text(
                    "Serial number in the profile, title, names of files, the import receipt, and "
                    "every frame in which the pack says its serial number."
                ),
                26,
            )
        )
        column.addSpacing(6)
        column.addWidget(
            _words(
                text(
                    "Left out is what is known: a message that no database names could still carry "
                    "either. Analyses are not copied; they can be run again. The copy says in an "
                    "event what it lacks."
                ),
            )
        )
        column.addSpacing(8)
        column.addLayout(self._buttons())
        self.setMinimumWidth(560)

    def _buttons(self) -> QHBoxLayout:
        self.save = ActionButton(text("Save the copy…"), tone="primary", least=140)
        self.save.clicked.connect(self._chosen)
        cancel = ActionButton(text("Cancel"), least=100)
        cancel.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(self.save)
        return row

    def without(self) -> list[str]:
        """What is to be left out."""
        boxes = {"location": self.location, "serial": self.serial}
        return [word for word, box in boxes.items() if box.isChecked()]

    def _chosen(self) -> None:
        without = ",".join(self.without())
        self.accept()
        self.chosen.emit(without)


def _words(sentence: str, indent: int = 0) -> QLabel:
    label = QLabel(sentence)
    label.setWordWrap(True)
    label.setContentsMargins(indent, 0, 0, 0)
    if indent:
        label.setProperty("tone", "muted")
    return label
