"""A picture of the window, as files for a report or a test.

Paints what the window would paint; needs no screen (offscreen platform).
"""

from pathlib import Path

from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication, QWidget


def grab(window: QWidget, path: Path, size: tuple[int, int] | None = None) -> None:
    """Paint `window` at `size` pixels into the PNG `path`, which appears when complete.

    Raises OSError when the file cannot be written.
    """
    if size is not None:
        window.resize(*size)
        for _ in range(3):  # layouts settle in more than one round
            QApplication.processEvents()
    picture = window.grab()
    save_image(picture.toImage(), path)


def grab_scaled(widget: QWidget, scale: float) -> QImage:
    """`widget` painted at `scale` times its size, sharp text included."""
    size = QSize(round(widget.width() * scale), round(widget.height() * scale))
    image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(scale)
    image.fill(widget.palette().window().color())
    painter = QPainter(image)
    widget.render(painter, QPoint())
    painter.end()
    return image


def save_image(image: QImage, path: Path) -> None:
    """Write a PNG beside its place and rename it; OSError when that fails."""
    beside = path.with_name(f".{path.name}.part.png")  # the name tells Qt the format
    if not image.save(str(beside)):
        raise OSError(f"{path} cannot be written: choose another folder")
    beside.replace(path)
