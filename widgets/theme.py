"""The two looks of the program: colours, sizes, fonts, palette and style sheet.

Every widget takes its colours and fonts from `current_theme()` while painting; a picture kept
between paints keys it by the theme's name. No widget names a colour of its own. Nothing here knows
what is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from widgets.style_sheet import style_sheet

FAMILIES = (
    "Inter",
    "WenQuanYi Micro Hei",
    "Noto Sans CJK SC",
    "Microsoft YaHei",
    "PingFang SC",
    "Segoe UI",
    "Helvetica Neue",
    "DejaVu Sans",
)
MONO_FAMILIES = (
    "Cascadia Mono",
    "SF Mono",
    "Menlo",
    "Consolas",
    "DejaVu Sans Mono",
    "Liberation Mono",
    "WenQuanYi Micro Hei Mono",
    "Noto Sans Mono CJK SC",
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pixels. `radius` of panels and buttons, `gap` between panels, `pad` inside a panel; text
    sizes: `small` (captions, axes), `body`, `title`, `heading`, `value` (tiles), `large`."""

    radius: int = 6
    gap: int = 10
    pad: int = 14
    row: int = 28
    small: int = 12
    body: int = 13
    title: int = 14
    heading: int = 16
    value: int = 22
    large: int = 26


@dataclass(frozen=True, slots=True, eq=False)
class Theme:
    """Colours of one look. `low`, `middle`, `high_side`: ends and centre of the deviation map
    (below, at, above the median); `series`: colours of named traces; red is not among
    them, it means high and stop only."""

    name: str
    background: QColor
    panel: QColor
    border: QColor
    raised: QColor
    line: QColor  # outlines of controls, empty part of a bar
    grid: QColor
    text: QColor
    muted: QColor
    accent: QColor
    on_accent: QColor
    warn: QColor
    high: QColor
    ok: QColor
    balancing: QColor
    band: QColor  # a filled band behind curves
    trace: QColor  # one unnamed curve among many
    low: QColor
    middle: QColor
    high_side: QColor
    series: tuple[QColor, ...]
    sizes: Sizes = field(default=Sizes())

    def deviation(self, value: float) -> QColor:
        """Colour of a deviation scaled to -1…1 (clipped): blue above, orange below the median.
        NaN gives `raised`. `text` has contrast >= 4.5 on every colour of the map."""
        return QColor.fromRgb(int(self.deviation_rgb(np.array([value]))[0]))

    def deviation_rgb(self, values: ArrayLike) -> NDArray[np.uint32]:
        """The same map for an array of any shape: 0xffRRGGBB per value."""
        scaled = np.clip(np.asarray(values, np.float64), -1.0, 1.0)
        share = np.abs(np.nan_to_num(scaled))[..., np.newaxis]
        ends = np.where(scaled[..., np.newaxis] >= 0, _rgb(self.high_side), _rgb(self.low))
        mixed = np.rint(_rgb(self.middle) * (1 - share) + ends * share)
        mixed = np.where(np.isnan(scaled)[..., np.newaxis], _rgb(self.raised), mixed)
        red, green, blue = np.moveaxis(mixed.astype(np.uint32), -1, 0)
        packed: NDArray[np.uint32] = np.uint32(0xFF000000) | (red << 16) | (green << 8) | blue
        return packed

    def text_on(self, color: QColor) -> QColor:
        """`text` or its opposite, whichever reads better on `color`."""
        other = QColor("#10161d") if self.text.lightness() > 128 else QColor("#ffffff")
        return max((self.text, other), key=lambda candidate: contrast(candidate, color))

    def severity(self, name: str) -> QColor:
        """Colour of a severity: info, watch, warn, high, stop, ok, resolved (else muted)."""
        table = {
            "info": self.accent,
            "watch": self.warn,
            "warn": self.warn,
            "high": self.high,
            "stop": self.high,
            "ok": self.ok,
            "resolved": self.ok,
        }
        return table.get(name, self.muted)

    def colors(self) -> dict[str, str]:
        """Name -> "#rrggbb" of every single colour, for style sheets."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: v.name() for name, v in values.items() if isinstance(v, QColor)}


def mix(a: QColor, b: QColor, share_of_b: float) -> QColor:
    """A colour between `a` (0) and `b` (1), in sRGB."""
    red, green, blue = np.rint(_rgb(a) * (1 - share_of_b) + _rgb(b) * share_of_b).astype(int)
    return QColor(int(red), int(green), int(blue))


def contrast(a: QColor, b: QColor) -> float:
    """Contrast ratio 1…21 as WCAG 2.2 defines it (relative luminance + 0.05)."""
    first, second = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _luminance(color: QColor) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(color: QColor) -> NDArray[np.float64]:
    return np.array([color.red(), color.green(), color.blue()], np.float64)


def _theme(name: str, colors: dict[str, str], series: Sequence[str]) -> Theme:
    named: dict[str, Any] = {key: QColor(value) for key, value in colors.items()}
    return Theme(name=name, series=tuple(QColor(c) for c in series), **named)


DARK = _theme(
    "dark",
    {
        "background": "#0f1318",
        "panel": "#171c23",
        "border": "#27303b",
        "raised": "#1f2630",
        "line": "#2b3440",
        "grid": "#28303b",
        "text": "#e8edf2",
        "muted": "#93a0ad",
        "accent": "#4ca3ff",
        "on_accent": "#0b1119",
        "warn": "#f2b23e",
        "high": "#ff6b6b",
        "ok": "#3dbe8b",
        "balancing": "#a98bff",
        "band": "#3b4b5d",
        "trace": "#5a7692",
        "low": "#a1560f",
        "middle": "#2d3239",
        "high_side": "#1f64b0",
    },
    ("#4ca3ff", "#f2b23e", "#56d4dd", "#e89ac7", "#c9d36a", "#a98bff", "#3dbe8b"),
)
LIGHT = _theme(
    "light",
    {
        "background": "#eef1f4",
        "panel": "#ffffff",
        "border": "#dfe4ea",
        "raised": "#f3f5f8",
        "line": "#d5dbe2",
        "grid": "#dce1e7",
        "text": "#16202b",
        "muted": "#5a6774",
        "accent": "#1769c2",
        "on_accent": "#ffffff",
        "warn": "#916000",
        "high": "#c62828",
        "ok": "#0f7a55",
        "balancing": "#6a3fd0",
        "band": "#c5d0dc",
        "trace": "#899eb3",
        "low": "#f0b27a",
        "middle": "#e9eaec",
        "high_side": "#8fbdf0",
    },
    ("#1769c2", "#916000", "#00758a", "#b0357e", "#6b7300", "#6a3fd0", "#0f7a55"),
)

_current = DARK
_following = False
_connected = False


def current_theme() -> Theme:
    """The theme in force; dark until `apply_theme` was called."""
    return _current


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Fusion, an explicit palette, the fonts and one style sheet; every widget repaints."""
    global _following
    _following = False
    app.styleHints().setColorScheme(
        Qt.ColorScheme.Dark if theme is DARK else Qt.ColorScheme.Light
    )  # native title bars and dialogs go along
    _install(app, theme)


def follow_system(app: QApplication) -> None:
    """Use the desktop's dark or light look, now and whenever it changes, until `apply_theme`."""
    global _following, _connected
    hints = app.styleHints()
    hints.unsetColorScheme()
    _following = True
    if not _connected:
        hints.colorSchemeChanged.connect(_on_scheme_changed)
        _connected = True
    _on_scheme_changed(hints.colorScheme())


def _on_scheme_changed(scheme: Qt.ColorScheme) -> None:
    app = QApplication.instance()
    if _following and isinstance(app, QApplication):
        _install(app, LIGHT if scheme == Qt.ColorScheme.Light else DARK)


def _install(app: QApplication, theme: Theme) -> None:
    global _current
    _current = theme
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    app.setFont(font(theme.sizes.body))
    app.setStyleSheet(style_sheet(theme.name, theme.colors(), theme.sizes.radius))
    for widget in app.allWidgets():
        widget.update()


def _palette(theme: Theme) -> QPalette:
    role = QPalette.ColorRole
    colors = {
        role.Window: theme.background,
        role.WindowText: theme.text,
        role.Base: theme.panel,
        role.AlternateBase: theme.raised,
        role.Text: theme.text,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.high,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.PlaceholderText: theme.muted,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.balancing,
        role.Light: mix(theme.raised, theme.text, 0.15),
        role.Midlight: mix(theme.raised, theme.text, 0.08),
        role.Mid: theme.line,
        role.Dark: theme.border,
        role.Shadow: QColor("#000000"),
    }
    palette = QPalette()
    for name, color in colors.items():
        palette.setColor(QPalette.ColorGroup.All, name, color)
    faded = mix(theme.muted, theme.panel, 0.35)
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, faded)
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, theme.line)
    return palette


def load_fonts(folder: Path) -> tuple[str, ...]:
    """Register every .ttf and .otf of `folder`; returns the families that Qt knows from them.

    A file that Qt cannot read raises ValueError naming it. Needs a running QApplication.
    """
    families: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in (".ttf", ".otf"):
            continue
        number = QFontDatabase.addApplicationFont(str(path))
        if number < 0:
            raise ValueError(f"{path} is not a readable font file: restore it from the package")
        families += QFontDatabase.applicationFontFamilies(number)
    font.cache_clear()
    return tuple(dict.fromkeys(families))


@lru_cache(maxsize=64)
def font(pixels: int, weight: QFont.Weight = QFont.Weight.Normal, mono: bool = False) -> QFont:
    """A font of the program with digits of equal width, so that numbers do not jump.

    The object is shared: copy it before changing it.
    """
    made = QFont()
    made.setFamilies(list(MONO_FAMILIES if mono else FAMILIES))
    made.setPixelSize(pixels)
    made.setWeight(weight)
    made.setStyleHint(QFont.StyleHint.Monospace if mono else QFont.StyleHint.SansSerif)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    made.setFeature(QFont.Tag("tnum"), 1)  # for a system font in place of the bundled one
    return made


def semibold(pixels: int) -> QFont:
    """Titles and numbers that matter."""
    return font(pixels, QFont.Weight.DemiBold)
