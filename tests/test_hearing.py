"""Why a bus gives no cells: each case has its own sentence, its remedy, and its offers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bms_studio import language
from bms_studio.hearing import Heard, ask_offer, judge
from bms_studio.interpret import Request, interpret
from bms_studio.messages import TEMPLATES, offer_words, render
from bms_studio.status import BusWord
from protocols.detect import detect
from protocols.frames import ERROR, TRANSMITTED, Frames, empty_frames
from tests.captures import candump

DATA = Path(__file__).parents[2] / "shared" / "data" / "can"


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    language.set_language("en")


def frames(count: int, ids: int = 10, flags: int = 0) -> Frames:
    made = empty_frames(count)
    made.time[:] = np.arange(count) * 1_000_000
    made.id[:] = 0x100 + np.arange(count) % ids
    made.length[:] = 8
    made.data[:, 0] = np.arange(count) % 200
    made.flags[:] = flags
    return made


def heard(block: Frames, mode: str = "listen", **facts: object) -> BusWord | None:
    return judge(Heard(block, 2.0, mode, 500_000, **facts))  # type: ignore[arg-type]


def deeds(word: BusWord | None) -> list[str]:
    assert word is not None
    return [f"{o.deed} {o.protocol or o.bitrate or ''}".strip() for o in word.offers]


def test_silence_asks_whether_the_pack_is_alone_and_offers_to_ask_it() -> None:
    word = heard(empty_frames())
    assert word is not None
    assert word.code == "bus.silent"
    assert word.remedy == "bus.silent.alone"
    assert deeds(word) == ["acknowledge", "ask daly", "ask jbd"]


def test_silence_beside_an_acknowledging_adapter_has_other_remedies() -> None:
    word = heard(empty_frames(), "acknowledge")
    assert word is not None
    assert word.remedy == "bus.silent.acknowledged"
    assert "has no CAN" in render(word.remedy)
    assert deeds(word) == ["ask daly", "ask jbd", "bitrate 250000"]


def test_our_own_questions_are_no_sign_of_life() -> None:
    ours = frames(50, flags=TRANSMITTED)
    asking = heard(ours, "active", asking="asking")
    assert asking is not None
    assert asking.code == "bus.waiting"
    mute = heard(ours, "active", asking="unanswered")
    assert mute is not None
    assert mute.code == "bus.mute"
    assert deeds(mute) == ["hush", "bitrate 250000"]


@pytest.mark.parametrize("reported", [0, 7])
def test_errors_alone_are_no_frames(reported: int) -> None:
    block = empty_frames() if reported else frames(30, flags=ERROR)
    word = heard(block, errors=reported or 30)
    assert word is not None
    assert word.code == "bus.errors"
    assert deeds(word) == ["acknowledge"]
    louder = heard(block, "acknowledge", errors=reported or 30)
    assert deeds(louder) == ["bitrate 250000"]


def test_one_endlessly_repeated_frame_is_acknowledged_by_nobody() -> None:
    block = frames(4000, ids=1)
    block.data[:] = 7
    word = heard(block)
    assert word is not None
    assert word.code == "bus.repeated"
    assert word.parameters["rate"] == pytest.approx(2000)
    assert deeds(word) == ["acknowledge"]
    still = heard(block, "acknowledge")
    assert still is not None
    assert still.remedy == "bus.repeated.acknowledged"
    assert deeds(still) == []


def test_one_identifier_with_changing_data_is_a_pack_and_not_repeated() -> None:
    word = heard(frames(4000, ids=1))
    assert word is not None
    assert word.code == "bus.no_bms"


def test_frames_without_a_bms_are_an_inverters_or_a_vehicles_bus() -> None:
    word = heard(frames(500))
    assert word is not None
    assert word.code == "bus.no_bms"
    assert "10 identifiers, 250 frames/s" in render(word.code, word.parameters)
    assert "inverter" in render(word.code, word.parameters)


def test_a_protocol_without_cells_is_offered_to_be_asked() -> None:
    word = heard(frames(500), protocol="leaf", title="Nissan Leaf")
    assert word is not None
    assert word.code == "bus.must_be_asked"
    assert deeds(word) == ["ask leaf"]
    assert word.offers[0].ids == ("79B",)
    assert heard(frames(500), protocol="orion") is None  # it will say its cells by itself


def test_with_cells_all_is_well_and_while_asking_one_can_stop() -> None:
    assert heard(frames(500), cells=20, protocol="vesc") is None
    word = heard(frames(500), "active", cells=16, protocol="daly", title="Daly", asking="asking")
    assert word is not None
    assert (word.code, deeds(word)) == ("bus.asking", ["hush"])


def test_another_tester_and_bus_off_come_first() -> None:
    word = heard(frames(500), "active", cells=16, asking="yielding", other_id=0x79B)
    assert word is not None
    assert "79B" in render(word.code, word.parameters)
    off = heard(empty_frames(), "active", bus_state="off", errors=9)
    assert off is not None
    assert off.code == "bus.off"


@pytest.mark.parametrize("code", language.languages())
def test_every_word_and_offer_can_be_said_in_every_language(code: str) -> None:
    language.set_language(code)
    repeated = frames(4000, ids=1)
    repeated.data[:] = 7
    blocks = (empty_frames(), frames(500), frames(30, flags=ERROR), repeated)
    said = set()
    for block in blocks:
        for mode in ("listen", "acknowledge", "active"):
            for asking in ("", "asking", "unanswered", "yielding"):
                for protocol in ("", "leaf"):
                    for cells in (0, 96):
                        errors = int(np.count_nonzero(block.flags & ERROR))
                        word = heard(
                            block,
                            mode,
                            asking=asking,
                            protocol=protocol,
                            title="Leaf",
                            cells=cells,
                            errors=errors,
                            bus_state="off" if cells and errors else "",
                        )
                        if word is None:
                            continue
                        said |= {word.code, word.remedy}
                        sentence = render(word.code, word.parameters)
                        assert sentence != word.code
                        assert "{" not in sentence + render(word.remedy or "bus.off.remedy")
                        for offer in word.offers:
                            assert "{" not in offer_words(offer) + offer_words(offer, means=True)
    known = {name for name in TEMPLATES if name.startswith("bus.")}
    assert known - said == set()


def test_what_asking_sends_is_said_exactly() -> None:
    offer = ask_offer("hyundai_kia")
    assert offer is not None
    words = offer_words(offer, means=True)
    assert "7E4" in words
    assert "500 kbit/s" in words
    assert ask_offer("vesc") is None


def test_the_inverters_log_has_no_cells_and_says_so() -> None:
    path = DATA / "tecnun" / "candump-2024-12-28_152319.log"
    if not path.exists():
        pytest.skip("the captures of ../shared/data are not here")
    block = candump(path)[:20_000]
    assert detect(block) == []
    assert interpret(block, Request()) is None
    word = heard(block)
    assert word is not None
    assert word.code == "bus.no_bms"
