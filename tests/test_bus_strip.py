"""The strip that says what the bus gives: nothing is accepted without the clicks it takes."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from bms_studio.connection import AdapterChoice
from bms_studio.gui.adapter_list import AdapterList, adapter_label, adapter_note
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.bus_strip import BusStrip
from bms_studio.gui.header import bus_words, top_bar
from bms_studio.hearing import Heard, ask_offer, judge
from bms_studio.language import set_language
from bms_studio.status import BusWord, LinkStatus, Offer, Status
from protocols.frames import empty_frames


@pytest.fixture
def strip(qtbot: QtBot) -> Iterator[BusStrip]:
    use_theme(make_application(), "dark")
    made = BusStrip()
    qtbot.addWidget(made)
    made.resize(900, 120)
    made.show_word(silence())
    yield made
    set_language("en")


def silence() -> BusWord:
    word = judge(Heard(empty_frames(), 2.0, "listen", 500_000))
    assert word is not None
    return word


def shown(strip: BusStrip) -> list[str]:
    buttons = [*strip.buttons, strip.ask_now, strip.not_now]
    return [b.text() for b in buttons if not b.isHidden()]


def test_asking_takes_two_clicks_and_says_between_them_what_it_sends(strip: BusStrip) -> None:
    accepted: list[Offer] = []
    strip.accepted.connect(accepted.append)
    assert shown(strip) == ["Yes, acknowledge", "Ask: Daly BMS…", "Ask: JBD / Xiaoxiang BMS…"]
    strip.buttons[1].click()
    assert accepted == []
    assert shown(strip) == ["Ask now", "Not now"]
    offer = ask_offer("daly")
    assert offer is not None
    for sent in offer.ids:
        assert sent in strip.remedy.text()
    assert f"{offer.per_second:.0f} frames a second" in strip.remedy.text()
    assert "250 kbit/s" in strip.remedy.text()
    assert "Nothing has been sent so far" in strip.remedy.text()
    strip.show_word(silence())  # the session goes on judging meanwhile
    assert shown(strip) == ["Ask now", "Not now"]
    strip.not_now.click()
    assert accepted == []
    assert len(shown(strip)) == 3
    strip.buttons[1].click()
    strip.ask_now.click()
    assert accepted == [offer]


def test_acknowledging_takes_one_click_and_is_explained(strip: BusStrip) -> None:
    accepted: list[Offer] = []
    strip.accepted.connect(accepted.append)
    assert "nothing else is sent" in strip.buttons[0].toolTip()
    strip.buttons[0].click()
    assert [o.deed for o in accepted] == ["acknowledge"]


def test_cells_end_the_strip_and_what_waited_in_it(strip: BusStrip) -> None:
    accepted: list[Offer] = []
    strip.accepted.connect(accepted.append)
    strip.buttons[1].click()
    strip.show_word(None)
    assert strip.isHidden()
    strip.ask_now.click()
    assert accepted == []
    strip.show_word(silence())
    assert shown(strip)[0] == "Yes, acknowledge"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("code", ["en", "zh_CN"])
def test_no_word_is_clipped_in_a_narrow_strip(strip: BusStrip, theme: str, code: str) -> None:
    use_theme(make_application(), theme)
    set_language(code)
    strip.show_word(None)
    strip.show_word(silence())
    strip.show()
    for width in (420, 640, 1100):
        strip.resize(width, strip.heightForWidth(width))
        make_application().processEvents()
        for label in (strip.sentence, strip.remedy):
            assert label.height() >= label.heightForWidth(label.width())
        assert not strip.grab().isNull()


def test_the_top_bar_explains_errors_and_bus_off() -> None:
    link = LinkStatus("connected", "SLCAN", "COM5", 500_000, bus_load=0.1, errors=12)
    words = bus_words(link)
    assert "10.0 %" in words
    assert "12 bus errors" in words
    assert "does not tell" in words
    off = LinkStatus("connected", bus_state="off", bus_offs=2, dropped=(("adapter", 3),))
    state = top_bar(Status(link=off), 0, True)
    assert state.load == "bus-off"
    assert state.load_tone == "high"
    assert "2 times bus-off" in state.load_hint
    assert "3 frames lost (adapter)" in state.load_hint


def test_the_list_of_adapters_says_what_is_missing_and_tries_only_on_a_click(qtbot: QtBot) -> None:
    use_theme(make_application(), "dark")
    down = AdapterChoice(
        "socketcan",
        "can0",
        "candleLight",
        "42",
        missing="link_down",
        parameters={"channel": "can0"},
    )
    unknown = AdapterChoice("slcan", "/dev/ttyUSB0", "CH340 serial", likely=False)
    ready = AdapterChoice("slcan", "COM5", "CANable", "A1", last_used=True)
    deaf = AdapterChoice("ixxat", "0", "IXXAT", listens="no")
    assert adapter_label(ready) == "CANable · A1 · COM5 · last used"
    assert "ip link set can0 up" in adapter_note(down)[0]
    assert "cannot be told to listen only" in adapter_note(deaf)[0]
    widget = AdapterList()
    qtbot.addWidget(widget)
    tried: list[str] = []
    widget.tried.connect(tried.append)
    widget.show_choices([ready, unknown, down], ("", ""), "none")
    assert widget.current() == ready
    assert widget.try_button.isHidden()
    widget.list.setCurrentRow(1)
    assert not widget.try_button.isHidden()
    assert tried == []
    widget.try_button.click()
    assert tried == ["/dev/ttyUSB0"]
    assert not widget.try_button.isEnabled()
    widget.show_tried("nothing there answers", good=False)
    assert widget.note.text() == "nothing there answers"
    assert widget.try_button.isEnabled()
    widget.list.setCurrentRow(2)
    assert widget.try_button.isHidden()
    widget.show_choices([], ("", ""), "none found")
    assert widget.current() is None
    assert widget.list.item(0).text() == "none found"
