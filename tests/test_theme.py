"""Both looks: readable everywhere, applied at once, digits of one width."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QFont, QFontInfo, QFontMetricsF, QPixmap
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from widgets.theme import (
    DARK,
    LIGHT,
    Theme,
    apply_theme,
    contrast,
    current_theme,
    follow_system,
    font,
    load_fonts,
)

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])


@pytest.fixture(autouse=True)
def restored(qapp: QApplication) -> Iterator[None]:
    """Leave the dark theme behind."""
    yield
    apply_theme(qapp, DARK)


@THEMES
def test_every_text_colour_reads_on_every_surface(theme: Theme) -> None:
    texts = ("text", "muted", "accent", "warn", "high", "ok", "balancing")
    for name in texts:
        for surface in (theme.background, theme.panel, theme.raised):
            assert contrast(getattr(theme, name), surface) >= 4.5, name
    for color in theme.series:
        assert contrast(color, theme.panel) >= 4.5
    assert contrast(theme.on_accent, theme.accent) >= 4.5


@THEMES
def test_text_reads_on_the_whole_deviation_map(theme: Theme) -> None:
    for value in np.linspace(-1.2, 1.2, 121):
        assert contrast(theme.text, theme.deviation(float(value))) >= 4.5
    assert theme.deviation(float("nan")) == theme.raised


@THEMES
def test_above_the_median_is_bluer_and_below_is_redder(theme: Theme) -> None:
    above, middle, below = (theme.deviation(v) for v in (0.8, 0.0, -0.8))
    assert above.blue() - above.red() > middle.blue() - middle.red() + 30
    assert below.red() - below.blue() > middle.red() - middle.blue() + 30


def test_the_map_of_an_array_is_the_map_of_its_values() -> None:
    values = np.array([[-1.0, -0.3, 0.0], [0.3, 2.0, np.nan]])
    packed = DARK.deviation_rgb(values)
    assert packed.shape == values.shape
    for value, rgb in zip(values.ravel(), packed.ravel(), strict=True):
        assert DARK.deviation(float(value)).rgb() == rgb


@THEMES
def test_the_palette_and_the_style_sheet_follow_the_theme(
    qapp: QApplication, qtbot: QtBot, theme: Theme
) -> None:
    label = QLabel("text")
    qtbot.addWidget(label)
    label.show()
    apply_theme(qapp, theme)
    assert current_theme() is theme
    assert qapp.palette().window().color() == theme.background
    assert label.palette().windowText().color() == theme.text
    assert theme.accent.name() in qapp.styleSheet()
    assert "$" not in qapp.styleSheet()


@THEMES
def test_every_picture_of_the_style_sheet_is_there_and_readable(
    qapp: QApplication, theme: Theme
) -> None:
    apply_theme(qapp, theme)
    paths = re.findall(r'url\("([^"]+)"\)', qapp.styleSheet())
    assert len(paths) >= 3
    for path in paths:
        assert not QPixmap(path).isNull(), path


def test_following_the_system_gives_one_of_both_and_ends_with_a_choice(qapp: QApplication) -> None:
    follow_system(qapp)
    assert current_theme() in (DARK, LIGHT)
    apply_theme(qapp, LIGHT)
    assert current_theme() is LIGHT


@pytest.mark.parametrize("pixels", [12, 13, 22, 26])
@pytest.mark.parametrize("weight", [400, 500, 600, 700])
def test_digits_and_signs_have_one_width(
    qapp: QApplication, repository: Path, pixels: int, weight: int
) -> None:
    assert "Inter" in load_fonts(repository / "resources" / "fonts")
    made = font(pixels, QFont.Weight(weight))
    assert QFontInfo(made).family().startswith("Inter")
    assert QFontInfo(made).weight() == weight
    metrics = QFontMetricsF(made)
    widths = {metrics.horizontalAdvance(sign * 8) for sign in "0123456789+\u2212"}
    assert len(widths) == 1
    assert metrics.horizontalAdvance("71.17") == metrics.horizontalAdvance("00.00")


def test_the_fonts_have_the_signs_that_the_program_writes(
    qapp: QApplication, repository: Path
) -> None:
    load_fonts(repository / "resources" / "fonts")
    metrics = QFontMetricsF(font(13))
    for sign in "°±×−–ΩµΔσ≤≥→▲●✓·…²€äüß":
        assert metrics.inFontUcs4(ord(sign)), sign
    assert (repository / "resources" / "fonts" / "OFL.txt").read_text().count("OPEN FONT LICENSE")


def test_a_broken_font_file_is_named(qapp: QApplication, tmp_path: Path) -> None:
    (tmp_path / "Broken.ttf").write_bytes(b"no font")
    with pytest.raises(ValueError, match=r"Broken\.ttf"):
        load_fonts(tmp_path)
