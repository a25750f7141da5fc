"""The report on paper and as a file: PDF pages and one self-contained HTML file.

The same HTML serves both; charts are drawn once, as SVG for the file and as pictures of 300 dots
per inch for the printed pages. Always in the light theme: it survives a grey printer.
"""

import re
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRect, QRectF, QSize, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QTextDocument,
)
from PySide6.QtSvg import QSvgGenerator

from bms_studio.gui.report_contents import Report, report_html
from bms_studio.language import text
from widgets.chart import Chart
from widgets.chart_paint import paint_chart
from widgets.theme import FAMILIES, LIGHT

_SHARP = 3  # picture pixels per document pixel: 288 dots per inch
_MARGIN_MM = 14.0
_DPI = 96


def write_report(report: Report, target: Path) -> None:
    """Write `target`, .pdf or .html by its suffix. ValueError for another; OSError of the disk."""
    if target.suffix.lower() in (".html", ".htm"):
        _write_whole(target, html_file(report).encode("utf-8"))
    elif target.suffix.lower() == ".pdf":
        _write_whole(target, pdf_file(report))
    else:
        raise ValueError(f"{target}: a report is a .pdf or a .html file; give it one of these")


def html_file(report: Report) -> str:
    """One file that needs nothing beside it."""
    return report_html(report, _svg, alone=True)


def document_of(report: Report) -> QTextDocument:
    """The report as Qt lays it out: for the preview and for paper."""
    document = QTextDocument()
    font = QFont()
    font.setFamilies(list(FAMILIES))
    font.setPointSizeF(9.0)
    document.setDefaultFont(font)
    count = 0

    def image(chart: Chart, width: int, height: int) -> str:
        nonlocal count
        count += 1
        name = f"chart-{count}"
        kind = QTextDocument.ResourceType.ImageResource
        document.addResource(kind, QUrl(name), _picture(chart, width, height))
        return f'<img src="{name}" width="{width}" height="{height}">'

    document.setHtml(report_html(report, image))
    return document


def pdf_file(report: Report) -> bytes:
    """The pages, A4, with page numbers, and the mark of simulated data across each."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setTitle(text("Battery report {serial}", serial=report.pack.serial))
    writer.setCreator("BMS Studio")
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    margins = QMarginsF(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    writer.setResolution(_DPI)
    document = document_of(report)
    page = QRectF(0, 0, writer.width(), writer.height() - 26)
    document.setDocumentMargin(0)
    document.setPageSize(page.size())
    painter = QPainter(writer)
    try:
        for number in range(document.pageCount()):
            if number:
                writer.newPage()
            painter.save()
            painter.translate(0, -number * page.height())
            document.drawContents(
                painter, QRectF(0, number * page.height(), page.width(), page.height())
            )
            painter.restore()
            _foot(painter, writer, report, number + 1, document.pageCount())
    finally:
        painter.end()
    return bytes(buffer.data().data())


def _foot(painter: QPainter, writer: QPdfWriter, report: Report, number: int, count: int) -> None:
    painter.setPen(QColor("#5a6774"))
    font = QFont()
    font.setFamilies(list(FAMILIES))
    font.setPixelSize(11)
    painter.setFont(font)
    words = text(
        "BMS Studio · {serial} · page {number} of {count}",
        serial=report.pack.serial or report.pack.name or "–",
        number=number,
        count=count,
    )
    painter.drawText(QRectF(0, writer.height() - 18, writer.width(), 18), words)
    if not report.simulated:
        return
    painter.save()
    font.setPixelSize(88)
    font.setBold(True)
    painter.setFont(font)
    painter.setOpacity(0.10)
    painter.translate(writer.width() / 2, writer.height() / 2)
    painter.rotate(-50)
    area = QRectF(-600, -80, 1200, 160)
    painter.drawText(area, 0x84, text("SIMULATED"))  # centred both ways
    painter.restore()


def _picture(chart: Chart, width: int, height: int) -> QImage:
    image = QImage(QSize(width * _SHARP, height * _SHARP), QImage.Format.Format_ARGB32)
    image.fill(QColor("#ffffff"))
    painter = QPainter(image)
    painter.scale(_SHARP, _SHARP)
    paint_chart(painter, QRectF(0, 0, width, height), chart, LIGHT)
    painter.end()
    return image


def _svg(chart: Chart, width: int, height: int) -> str:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(QSize(width, height))
    generator.setViewBox(QRect(0, 0, width, height))
    generator.setTitle(chart.title)
    painter = QPainter(generator)
    paint_chart(painter, QRectF(0, 0, width, height), chart, LIGHT)
    painter.end()
    code = bytes(buffer.data().data()).decode("utf-8")
    # The generator writes its size in millimetres of another resolution: in a browser's pixels
    # two charts would not stand beside each other.
    head, rest = code[code.index("<svg") :].split(">", 1)
    head = re.sub(r'\bwidth="[^"]*"', f'width="{width}"', head, count=1)
    head = re.sub(r'\bheight="[^"]*"', f'height="{height}"', head, count=1)
    return f"{head}>{rest}"


def _write_whole(target: Path, content: bytes) -> None:
    """Beside its place, then renamed: nobody sees half a report."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(content)
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
