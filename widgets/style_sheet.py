"""The one Qt style sheet, made from a theme's colours. No widget brings its own.

Dynamic properties that a page may set: QFrame `panel` and `raised` (true), QLabel `tone`
(muted, title, heading, warn, high, ok, accent), QPushButton `tone` (primary, quiet, accent, live).
"""

from pathlib import Path
from string import Template

_SHEET = Template(
    """
QMainWindow, QDialog { background: $background; }
QToolTip {
  background: $raised; color: $text; border: 1px solid $line; padding: 5px 7px;
}
QFrame[panel="true"] {
  background: $panel; border: 1px solid $border; border-radius: ${radius}px;
}
QFrame[raised="true"] {
  background: $raised; border: 1px solid $border; border-radius: ${radius}px;
}
QLabel { background: transparent; }
QLabel[tone="muted"] { color: $muted; }
QLabel[tone="title"] { color: $text; font-weight: 600; font-size: 14px; }
QLabel[tone="heading"] { color: $text; font-weight: 600; font-size: 16px; }
QLabel[tone="warn"] { color: $warn; }
QLabel[tone="high"] { color: $high; }
QLabel[tone="ok"] { color: $ok; }
QLabel[tone="accent"] { color: $accent; }

QPushButton, QToolButton {
  background: $raised; color: $text; border: 1px solid $line; border-radius: ${radius}px;
  padding: 5px 14px; min-height: 18px;
}
QToolButton { padding: 5px 8px; }
QPushButton:hover, QToolButton:hover { border-color: $muted; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:checked, QToolButton:checked { border-color: $accent; font-weight: 600; }
QPushButton:focus, QToolButton:focus { border-color: $accent; }
QPushButton:disabled, QToolButton:disabled { color: $muted; background: $panel; }
QPushButton[tone="primary"] {
  background: $accent; color: $on_accent; border-color: $accent; font-weight: 600;
}
QPushButton[tone="primary"]:hover { border-color: $text; }
QPushButton[tone="primary"]:disabled { background: $line; color: $muted; border-color: $line; }
QPushButton[tone="quiet"], QToolButton[tone="quiet"] {
  background: transparent; border-color: transparent; color: $muted;
}
QPushButton[tone="quiet"]:hover, QToolButton[tone="quiet"]:hover {
  background: $raised; color: $text;
}
QPushButton[tone="quiet"]:focus, QToolButton[tone="quiet"]:focus { border-color: $accent; }
QPushButton[tone="accent"] { background: transparent; border-color: transparent; color: $accent; }
QPushButton[tone="accent"]:focus { border-color: $accent; }

QPushButton[tone="live"] { color: $muted; font-weight: 600; padding: 4px 14px; }
QPushButton[tone="live"]:checked { color: $accent; border-color: $accent; }

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {
  background: $raised; color: $text; border: 1px solid $line; border-radius: ${radius}px;
  padding: 4px 8px; min-height: 18px;
  selection-background-color: $accent; selection-color: $on_accent;
}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QComboBox:focus { border-color: $accent; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url("$art/down-$look.svg"); width: 12px; height: 12px; }
QSpinBox, QDoubleSpinBox { padding-right: 20px; qproperty-alignment: 'AlignRight | AlignVCenter'; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit {
  background: transparent; border: none; padding: 0;
}
QSpinBox::up-button, QDoubleSpinBox::up-button {
  subcontrol-origin: border; subcontrol-position: top right; width: 20px; border: none;
  background: transparent;
}
QSpinBox::down-button, QDoubleSpinBox::down-button {
  subcontrol-origin: border; subcontrol-position: bottom right; width: 20px; border: none;
  background: transparent;
}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {
  image: url("$art/up-$look.svg"); width: 10px; height: 10px;
}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {
  image: url("$art/down-$look.svg"); width: 10px; height: 10px;
}

QCheckBox, QRadioButton { spacing: 7px; }
QCheckBox::indicator, QRadioButton::indicator {
  width: 14px; height: 14px; border: 1px solid $muted; background: $raised;
}
QCheckBox::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:checked {
  background: $accent; border-color: $accent; image: url("$art/check-$look.svg");
}
QRadioButton::indicator:checked {
  width: 6px; height: 6px; border: 5px solid $accent; background: $on_accent;
}
QCheckBox::indicator:hover, QRadioButton::indicator:hover,
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border-color: $accent; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $line; }
QCheckBox:disabled, QRadioButton:disabled { color: $muted; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $line; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal {
  width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: $text;
}
QSlider::handle:horizontal:focus { background: $accent; }
QComboBox QAbstractItemView {
  border-radius: 0; padding: 0;
  background: $raised; color: $text; border: 1px solid $line; outline: none;
  selection-background-color: $accent; selection-color: $on_accent;
}

QMenuBar { background: $panel; color: $text; border-bottom: 1px solid $border; }
QMenuBar::item { background: transparent; padding: 4px 10px; }
QMenuBar::item:selected { background: $raised; }
QMenu { background: $raised; color: $text; border: 1px solid $line; padding: 5px; }
QMenu::item { padding: 5px 22px 5px 18px; border-radius: 4px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $muted; }
QMenu::separator { height: 1px; background: $line; margin: 5px 6px; }

QAbstractItemView {
  background: $panel; color: $text; border: 1px solid $border; alternate-background-color: $raised;
  gridline-color: $border; selection-background-color: $raised; selection-color: $text;
  outline: none;
}
QAbstractItemView[plain="true"] { border: none; }
QAbstractItemView::item:selected { background: $line; color: $text; }
QHeaderView { background: $panel; border: none; }
QHeaderView::section {
  background: $panel; color: $muted; border: none; border-bottom: 1px solid $line;
  padding: 5px 8px; text-align: left; font-weight: normal;
}
QHeaderView::section:checked { font-weight: normal; }
QAbstractItemView::item { padding-left: 5px; padding-right: 5px; }
QListView { border-radius: ${radius}px; padding: 3px; }
QListView::item { min-height: 26px; border-radius: 4px; }
QTableCornerButton::section { background: $panel; border: none; }

QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QScrollBar::handle { background: $line; border-radius: 4px; margin: 1px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: transparent; }

QTabWidget::pane { border: 1px solid $border; border-radius: ${radius}px; background: $panel; }
QTabBar::tab {
  background: transparent; color: $muted; padding: 6px 14px; border-bottom: 2px solid transparent;
}
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:hover { color: $text; }

QProgressBar {
  background: $line; border: none; border-radius: 4px; min-height: 8px; text-align: center;
  color: $text;
}
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QStatusBar { background: $panel; color: $muted; }
QGroupBox {
  border: 1px solid $border; border-radius: ${radius}px; margin-top: 10px; padding-top: 10px;
}
QGroupBox::title { subcontrol-origin: margin; left: 12px; color: $muted; }
"""
)


def style_sheet(look: str, colors: dict[str, str], radius: int) -> str:
    """The sheet for the look "dark" or "light": colours (name -> "#rrggbb"), corners in pixels."""
    art = (Path(__file__).resolve().parent / "art").as_posix()
    return _SHEET.substitute(colors, look=look, art=art, radius=radius)
