"""The workshop report: one text for file, preview and paper, in either language."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSizeF

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.diagnosis.contract import CellRisk, Finding, Parameters
from bms_studio.gui.app import make_application
from bms_studio.gui.evidence import Evidence
from bms_studio.gui.report_contents import SECTIONS, Report, Visit
from bms_studio.gui.report_output import document_of, html_file, pdf_file, write_report
from bms_studio.language import set_language
from bms_studio.replay import Replay
from bms_studio.status import PackStatus
from tests.gui_parts import make_recording, replay_of
from tests.judged_parts import VERDICT, judged


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    make_application()
    path = make_recording(tmp_path_factory.mktemp("report") / "ride.h5", 20, 90)
    opened = replay_of(path)
    opened.seek(1 << 62)
    yield opened
    opened.disconnect()


@pytest.fixture
def report(replay: Replay) -> Report:
    analysis = judged(replay.now_ns)
    return Report(
        Evidence(replay, analysis.health, analysis.visits, replay.now_ns),
        analysis,
        tuple(replay.findings),
        VERDICT,
        replay.status.pack,
        True,
        Visit("Scooter Service Nord", "4711", "A. Customer", "weak uphill", "ride"),
    )


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    set_language("en")


def test_the_file_needs_nothing_beside_it(report: Report) -> None:
    page = html_file(report)
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<svg") >= 3
    for outside in ("src=", "href=", "<script", "@import", "url(http"):
        assert outside not in page.replace('xlink:href="#', "")


def test_the_first_page_says_word_sentence_action_and_validity(report: Report) -> None:
    page = html_file(replace(report, sections=("customer",)))
    for words in (
        "REPAIR",
        "Scooter Service Nord",
        "4711",
        "SIM-0233",
        "Usable capacity against new",
        "91 % ± 2 %",
        "cell 13 ends it first and costs 210 Wh",
        "18–41 cycles",
        "87 %",
        "ride, 24 °C",
        "Not tested:",
    ):
        assert words in page
    assert "<svg" not in page


def test_a_found_cell_has_a_sign_that_survives_a_grey_printer(report: Report) -> None:
    page = html_file(replace(report, sections=("customer",)))
    assert re.search(r"<b>13 [!✕]</b>", page)
    assert re.search(r"<b>12</b>", page)


def test_simulated_data_say_so_on_every_page(report: Report) -> None:
    assert "SIMULATED" in html_file(report)
    assert "SIMULATED" not in html_file(replace(report, simulated=False))
    marked, plain = pdf_file(report), pdf_file(replace(report, simulated=False))
    assert marked != plain


def test_what_the_workshop_writes_is_text_never_markup(report: Report) -> None:
    wicked = Visit("<script>alert(1)</script>", "<img src=x>", "&", "</table>", "")
    pack = replace(report.pack, serial="<b>7</b>")
    page = html_file(replace(report, visit=wicked, pack=pack))
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;b&gt;7&lt;/b&gt;" in page


def test_every_section_can_be_left_out(report: Report) -> None:
    whole = html_file(report)
    for name in SECTIONS:
        rest = tuple(s for s in SECTIONS if s != name)
        assert len(html_file(replace(report, sections=rest))) < len(whole), name


def test_the_pdf_has_pages_and_the_preview_is_the_same_document(report: Report) -> None:
    pages = pdf_file(report)
    assert pages.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pages)) >= 3
    text = document_of(report).toPlainText()
    for words in ("REPAIR", "Evidence", "All cells", "The data", "Settings of the analysis"):
        assert words in text


def test_it_speaks_chinese(report: Report) -> None:
    set_language("zh_CN")
    page = html_file(report)
    for words in ("序列号", "证据", "最先", "内阻"):
        assert words in page
    assert "Serial number" not in page


def test_a_pack_without_cells_gets_an_honest_report(report: Report, replay: Replay) -> None:
    evidence = Evidence(replay, None, (), replay.now_ns)
    empty = replace(
        report, evidence=evidence, analysis=AnalysisStatus(), verdict=None, pack=PackStatus()
    )
    page = html_file(empty)
    assert "NOT ENOUGH DATA" in page
    assert "not tested" in page
    assert "No cell voltages were received." in page
    assert pdf_file(empty).startswith(b"%PDF-")


@pytest.mark.parametrize("cells", [1, 400])
def test_any_number_of_cells_fits(report: Report, replay: Replay, cells: int) -> None:
    analysis = judged(replay.now_ns, cells, weak=1)
    evidence = Evidence(replay, analysis.health, analysis.visits, replay.now_ns)
    pack = replace(report.pack, cells=cells, layout=(), labels=())
    other = replace(report, analysis=analysis, evidence=evidence, pack=pack)
    page = html_file(other)
    assert len(re.findall(r"<b[^>]*>\d+ ?[!✕]?</b>", page)) == cells
    assert ("and 360 more" in page) == (cells == 400)
    printed = pdf_file(other)
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 5


def test_two_charts_stand_beside_each_other_in_a_browser(report: Report) -> None:
    sizes = re.findall(r'<svg width="(\d+)"\s+height="(\d+)"', html_file(report))
    assert len(sizes) >= 3
    assert all(int(width) in (316, 660) and int(height) < 300 for width, height in sizes)


def test_minutes_say_nothing_of_self_discharge(report: Report) -> None:
    assert report.analysis.health is not None
    health = report.analysis.health
    vague = {**health.cells, "leak_a": np.full(20, 0.2), "leak_a_sigma": np.full(20, 0.3)}
    page = html_file(
        replace(report, analysis=replace(report.analysis, health=replace(health, cells=vague)))
    )
    assert "Self-discharge, mA" not in page
    sure = {**vague, "leak_a_sigma": np.full(20, 1e-4)}
    known = replace(health, cells=sure, pack={**health.pack, "capacity_ah": 31.0})
    page = html_file(replace(report, analysis=replace(report.analysis, health=known)))
    assert "Self-discharge, mA" in page


def test_a_report_in_the_middle_of_a_recording_says_so(report: Report, replay: Replay) -> None:
    assert "goes on for" not in html_file(report)
    middle = replace(report.evidence, until_ns=replay.now_ns - 60_000_000_000)
    page = html_file(replace(report, evidence=middle))
    assert re.search(r"The recording goes on for 6[01] s after this moment", page)


def test_a_report_is_written_whole_or_not_at_all(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "r.html")
    write_report(report, tmp_path / "r.pdf")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.pdf"]
    with pytest.raises(ValueError, match=r"\.pdf or a \.html"):
        write_report(report, tmp_path / "r.docx")
    with pytest.raises(OSError, match="nowhere"):
        write_report(report, tmp_path / "nowhere" / "r.pdf")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_long_name_and_markup_from_the_bus_stay_words_on_paper(report: Report) -> None:
    nasty = "<img src=x onerror=alert(1)>" + "7F" * 120
    pack = replace(report.pack, serial=nasty, name="<b>A</b>" * 30, labels=("<i>1</i>",) * 20)
    hostile = replace(report, pack=pack)
    page = html_file(hostile)
    assert "<img src=x" not in page
    assert "<i>1</i>" not in page
    assert "&lt;img src=x" in page
    assert pdf_file(hostile).startswith(b"%PDF")
    document = document_of(hostile)
    document.setTextWidth(690)
    assert document.idealWidth() <= 700  # the name is broken, not the page


def test_four_hundred_cells_leave_the_customer_one_page(report: Report) -> None:
    pack = replace(report.pack, cells=400, labels=(), layout=())
    risks = tuple(CellRisk(k + 1, 0.01, k + 1) for k in range(400))
    many = replace(
        report,
        pack=pack,
        sections=("customer",),
        analysis=replace(report.analysis, risks=risks),
    )
    document = document_of(many)
    document.setPageSize(QSizeF(688, 1000))
    assert document.pageCount() == 1


def test_cells_beyond_the_third_are_named_as_well_and_what_is_over_is_ticked(
    report: Report,
) -> None:
    risks = tuple(
        replace(r, mechanism="thermal" if r.cell in (2, 4, 6) else r.mechanism, risk=0.9)
        for r in report.analysis.risks
    )
    facts: Parameters = {"cell": 7, "value_v": 4.218, "limit_v": 4.21}
    over = Finding(
        *("limits.cell_over_voltage.7", 2, 1, 2, 7, "limits", "stop", "resolved", 2.0),
        *("limits.cell_over_voltage", facts),
    )
    told = replace(report, analysis=replace(report.analysis, risks=risks), findings=(over,))
    page = html_file(told)
    assert "Further: Cell 6 (heat)" in page
    assert re.search(r"<td[^>]*>✓</td><td[^>]*>resolved</td>", page)
