"""A picture for a report: what the page shows, under a title with pack, time and SIMULATED."""

import time

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter

from bms_studio.gui.contract import PackView
from bms_studio.gui.header import identity_words
from bms_studio.language import text
from widgets.theme import current_theme, font, semibold

_BAND = 46


def title_picture(image: QImage, view: PackView, t: int) -> QImage:
    """`image` below a band that says which pack, when, and whether it is simulated."""
    theme, ratio = current_theme(), image.devicePixelRatio()
    width, height = image.width() / ratio, image.height() / ratio
    titled = QImage(
        image.width(), image.height() + round(_BAND * ratio), QImage.Format.Format_RGB32
    )
    titled.setDevicePixelRatio(ratio)
    titled.fill(theme.background)
    painter = QPainter(titled)
    status = view.status
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(t // 1_000_000_000))
    painter.setFont(semibold(theme.sizes.title))
    painter.setPen(theme.text)
    row = QRectF(14, 0, width - 28, _BAND)
    painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, identity_words(status.pack))
    right = " · ".join(
        words
        for words in (text("SIMULATED") if status.link.simulated else "", when, "BMS Studio")
        if words
    )
    painter.setFont(font(theme.sizes.body))
    painter.setPen(theme.warn if status.link.simulated else theme.muted)
    painter.drawText(row, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, right)
    painter.drawImage(QRectF(0, _BAND, width, height), image)
    painter.end()
    return titled
