"""Asking a BMS: the rhythm, flow control, time-outs, and silence beside another tester.

The schedule is turned with instants of the test's own; what is on the wire are real frames.
"""

import numpy as np
import pytest

from bms_studio.acquisition.asking import (
    FRAME_S,
    LISTEN_FIRST_S,
    QUIET_S,
    Asker,
    as_words,
    from_words,
    question,
)
from bms_studio.simulator.bms import build_bms, measure
from bms_studio.simulator.pack import PackSpec, advance_pack, build_pack
from bms_studio.simulator.speak_polled import POLLED, PolledBms
from protocols.contract import Poll
from protocols.detect import detect
from protocols.frames import EXTENDED, REMOTE, TRANSMITTED, Frames, concatenate, empty_frames
from protocols.isotp import Reassembler
from protocols.isotp_frames import segment
from protocols.polled import Decoder
from protocols.registry import load

STEP_S = 0.002
LEAF = load("leaf").polls


def frame(frame_id: int, data: bytes, flags: int = 0) -> Frames:
    made = empty_frames(1)
    made.id[0], made.length[0], made.flags[0] = frame_id, len(data), flags
    made.data[0, : len(data)] = np.frombuffer(data, np.uint8)
    return made


def sent(blocks: list[Frames]) -> list[tuple[int, bytes]]:
    whole = concatenate(blocks)
    return [
        (int(whole.id[k]), whole.data[k, : int(whole.length[k])].tobytes())
        for k in range(len(whole))
    ]


def pack_that_answers(name: str) -> PolledBms:
    cells = POLLED[name][0] if name != "daly" else 14
    spec = PackSpec(cells=cells)
    pack = build_pack(spec)
    bms = build_bms(pack)
    block = advance_pack(pack, np.full(100, 10.0), np.zeros(cells))
    readings = measure(bms, pack, block, 10, 10)
    speaker = PolledBms(spec, load(name))
    assert not len(speaker(bms, readings, "ride", 0))
    return speaker


class Talk:
    """An asker and a BMS on one bus; `heard` is all that passed, as a journal would have it."""

    def __init__(
        self, name: str, bms: PolledBms | None, polls: tuple[Poll, ...] | None = None
    ) -> None:
        self.now_s = 100.0
        self.asker = Asker(polls or load(name).polls, self.now_s)
        self.bms = bms
        self.heard: list[Frames] = []
        self.deaf_from = 1 << 29  # questions from this identifier on do not reach the BMS
        self.extra: list[Frames] = []  # from another tester, put on the bus at the next step

    def run(self, seconds: float) -> "Talk":
        for _ in range(round(seconds / STEP_S)):
            self.now_s += STEP_S
            answers = self.bms.due(self.now_s) if self.bms else None
            came = [*self.extra, *([answers] if answers is not None else [])]
            self.extra = []
            self._pass(came)
            asked = self.asker.turn(concatenate(came), self.now_s)
            self._pass([self._as_sent(f) for f in asked])
            if self.bms:
                for block in asked:
                    self.bms.hear(block[block.id < self.deaf_from], self.now_s)
        return self

    def _pass(self, blocks: list[Frames]) -> None:
        for block in blocks:
            block.time[:] = round(self.now_s * 1e9)
            self.heard.append(block)

    def _as_sent(self, block: Frames) -> Frames:
        copy = block[np.arange(len(block))]
        copy.flags[:] |= TRANSMITTED
        return copy

    def ours(self) -> list[tuple[float, int, bytes]]:
        whole = concatenate(self.heard) if self.heard else empty_frames()
        mine = whole[(whole.flags & TRANSMITTED) != 0]
        return [
            (mine.time[k] * 1e-9, int(mine.id[k]), mine.data[k, : mine.length[k]].tobytes())
            for k in range(len(mine))
        ]


@pytest.mark.parametrize("name", list(POLLED))
def test_what_is_asked_is_answered_and_read_by_the_decoder_that_reads_everything(
    name: str,
) -> None:
    bms = pack_that_answers(name)
    talk = Talk(name, bms).run(8.0)
    status = talk.asker.status
    assert status.asking == "asking"
    assert status.answered >= len(load(name).polls)
    assert status.answered >= status.asked - 1
    heard = concatenate(talk.heard)
    protocol = load(name)
    learned = protocol.specialise(heard) if protocol.specialise else None
    database, mapping = learned or (protocol.database, protocol.mapping)
    _, index, value = Decoder([database], mapping).push(heard).group(0)
    newest = dict(zip(index.tolist(), value.tolist(), strict=True))
    steps_v = 0.02 if "hyundai" in name else 0.001
    cells = len(newest)
    assert sorted(newest) == list(range(cells))
    assert cells == (14 if name == "daly" else POLLED[name][0])
    for number, volts in newest.items():
        assert volts == pytest.approx(bms.values[f"cell.{number + 1}.voltage"], abs=steps_v)


@pytest.mark.parametrize("name", list(POLLED))
def test_no_question_comes_more_often_than_its_schedule_says(name: str) -> None:
    talk = Talk(name, pack_that_answers(name)).run(12.0)
    times: dict[tuple[int, bytes], list[float]] = {}
    for at, frame_id, data in talk.ours():
        if data[:1] != b"\x30":
            times.setdefault((frame_id, data), []).append(at)
    for poll in load(name).polls:
        asked = times[poll.id, question(poll)]
        if len(asked) > 2:
            assert (asked[-1] - asked[0]) / (len(asked) - 1) >= 0.9 * poll.period_s
            assert np.diff(asked).min() >= poll.period_s / 2


def test_nothing_is_asked_in_the_first_half_second() -> None:
    talk = Talk("leaf", pack_that_answers("leaf")).run(LISTEN_FIRST_S - 0.01)
    assert talk.ours() == []
    assert talk.asker.status.asking == "listening"
    assert talk.run(0.1).ours() != []


def test_flow_control_follows_a_first_frame_and_only_the_answer_to_our_question() -> None:
    asker = Asker(LEAF[:1], 0.0)
    assert sent(asker.turn(empty_frames(), 1.0)) == [(0x79B, bytes.fromhex("0221020000000000"))]
    answer = segment(b"\x61\x02" + bytes(60))
    assert sent(asker.turn(frame(0x7BB, segment(b"\x61\x01" + bytes(60))[0]), 1.01)) == []
    permission = asker.turn(frame(0x7BB, answer[0]), 1.02)
    assert sent(permission) == [(0x79B, bytes.fromhex("3000050000000000"))]
    rest = [frame(0x7BB, data) for data in answer[1:]]
    assert asker.turn(concatenate(rest), 1.1) == []
    assert asker.status.answered == 1
    # A first frame that nobody of us asked for gets no permission.
    assert asker.turn(frame(0x7BB, answer[0]), 1.2) == []


def test_an_answer_that_stops_in_the_middle_is_given_up_and_asked_again() -> None:
    asker = Asker(LEAF[:1], 0.0)
    asker.turn(empty_frames(), 1.0)
    asker.turn(frame(0x7BB, segment(b"\x61\x02" + bytes(60))[0]), 1.01)
    assert asker.turn(empty_frames(), 1.01 + FRAME_S / 2) == []
    asker.turn(empty_frames(), 1.02 + FRAME_S)
    assert (asker.status.answered, asker.status.unanswered) == (0, 1)
    assert sent(asker.turn(empty_frames(), 20.0)) != []


def test_response_pending_is_waited_for_and_a_refusal_is_not_asked_again_soon() -> None:
    poll = Poll(0x7E4, False, bytes.fromhex("220101"), 1.0, 0x7EC, 0x7E4)
    asker = Asker([poll], 0.0)
    asker.turn(empty_frames(), 1.0)
    asker.turn(frame(0x7EC, bytes.fromhex("037f2278aaaaaaaa")), 1.05)
    assert asker.turn(empty_frames(), 4.0) == []
    assert asker.status.unanswered == 0
    asker.turn(frame(0x7EC, bytes.fromhex("037f2231aaaaaaaa")), 4.5)
    assert asker.status.answered == 1
    assert asker.turn(empty_frames(), 30.0) == []
    assert asker.turn(empty_frames(), 70.0) != []


def test_extended_addressing_stands_before_question_answer_and_flow_control() -> None:
    poll = Poll(
        0x6F1, False, bytes.fromhex("22dfa0"), 1.0, 0x607, 0x6F1, address=0x07, answer_address=0xF1
    )
    asker = Asker([poll], 0.0)
    assert sent(asker.turn(empty_frames(), 1.0)) == [(0x6F1, bytes.fromhex("070322dfa0000000"))]
    message = bytes.fromhex("62dfa0") + bytes(range(40))
    others = segment(message, address=0xF4)
    assert asker.turn(frame(0x607, others[0]), 1.01) == []
    answer = segment(message, address=0xF1)
    permission = asker.turn(frame(0x607, answer[0]), 1.02)
    assert sent(permission) == [(0x6F1, bytes.fromhex("0730000500000000"))]
    mixed = [part for pair in zip(answer, others, strict=True) for part in pair]
    listener = Reassembler([(0x607, False)], addressed={(0x607, False): 0xF1})
    pdus = listener.push(concatenate([frame(0x607, data) for data in mixed]))
    assert [pdus.payload(k) for k in range(len(pdus))] == [message]
    asker.turn(concatenate([frame(0x607, data) for data in mixed[1:]]), 1.1)
    assert asker.status.answered == 1


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("daly", frame(0x18900140, bytes(8), EXTENDED)),
        ("jbd", frame(0x103, b"")),
        ("jbd", frame(0x103, b"", REMOTE)),
        ("leaf", frame(0x79B, bytes.fromhex("0221010000000000"))),
        ("leaf", frame(0x79B, bytes.fromhex("3001000000000000"))),
        ("hyundai_kia", frame(0x7DF, bytes.fromhex("023e000000000000"))),
    ],
)
def test_beside_another_tester_it_is_silent_until_nobody_asked_for_ten_seconds(
    name: str, foreign: Frames
) -> None:
    talk = Talk(name, pack_that_answers(name)).run(2.0)
    assert talk.asker.status.asking == "asking"
    talk.run(0.2)
    # Two seconds apart: the ten seconds count from the last one.
    for _ in range(3):
        talk.extra = [foreign[np.arange(1)]]
        talk.run(2.0)
    since = talk.now_s - 2.0
    assert talk.asker.status.asking == "yielding"
    assert talk.asker.status.other_id == int(foreign.id[0])
    before = len(talk.ours())
    talk.run(QUIET_S - 2.1)
    assert len(talk.ours()) == before
    talk.run(1.5)
    assert talk.asker.status.asking == "asking"
    resumed = talk.ours()[before][0]
    assert resumed - since >= QUIET_S - 0.01
    notes = talk.asker.notes()
    assert [n.kind for n in notes] == ["other-tester", "asking"]
    assert "we only listen" in notes[0].text
    assert notes[0].parameters["id"] == int(foreign.id[0])


def test_an_adapter_that_hands_back_what_it_sent_is_no_other_tester() -> None:
    asker = Asker(LEAF[:1], 0.0)
    [asked] = asker.turn(empty_frames(), 1.0)
    asker.turn(asked, 1.005)
    assert asker.status.asking == "asking"
    # The same once more is somebody else.
    asker.turn(asked[np.arange(1)], 1.010)
    assert asker.status.asking == "yielding"


def test_what_the_adapter_marks_as_our_own_is_no_other_tester() -> None:
    asker = Asker(LEAF[:1], 0.0)
    for k in range(4):
        asker.turn(frame(0x79B, bytes.fromhex("0221020000000000"), TRANSMITTED), 1.0 + k)
    assert asker.status.asking == "asking"


def test_a_mute_bms_is_asked_ever_more_rarely_and_at_once_when_it_wakes() -> None:
    talk = Talk("daly", None).run(60.0)
    assert talk.asker.status.asking == "unanswered"
    times = np.array([at for at, _, _ in talk.ours()])
    assert np.sum(times > talk.now_s - 20.0) <= 5
    assert len(times) < 25
    assert any("does not answer" in n.text for n in talk.asker.notes())
    talk.bms = pack_that_answers("daly")
    answered = talk.asker.status.answered
    talk.run(8.0)
    assert talk.asker.status.asking == "asking"
    assert talk.asker.status.answered - answered >= len(load("daly").polls)


def test_cells_that_a_pack_does_not_have_do_not_slow_down_the_others() -> None:
    """A BMS of 3 cells is silent when it is asked for 30."""
    talk = Talk("jbd", pack_that_answers("jbd"))
    talk.deaf_from = 0x108
    talk.run(30.0)
    before = len(talk.ours())
    talk.run(10.0)
    asked = [frame_id for _, frame_id, _ in talk.ours()[before:]]
    assert asked.count(0x100) >= 16
    assert sum(frame_id > 0x107 for frame_id in asked) <= 12


def test_a_failed_transmission_counts_as_unanswered() -> None:
    asker = Asker(LEAF[:1], 0.0)
    asker.turn(empty_frames(), 1.0)
    asker.failed("no acknowledge", 1.0)
    assert asker.status.unanswered == 1
    assert "no acknowledge" in asker.notes()[0].text


def test_a_schedule_travels_as_words_and_wild_ones_are_refused() -> None:
    for name in POLLED:
        polls = load(name).polls
        assert from_words(as_words(polls)) == list(polls)
    with pytest.raises(ValueError, match="at least"):
        from_words([as_words(LEAF[:1])[0] | {"period_s": 0.001}])
    with pytest.raises(ValueError, match="does not fit"):
        Asker([Poll(1, False, bytes(8), 1.0, 2, 1)], 0.0)
    with pytest.raises(ValueError, match="does not fit"):
        Asker([Poll(1, False, bytes(7), 1.0, 2, 1, address=7)], 0.0)
    with pytest.raises(ValueError, match="nothing to ask"):
        Asker([], 0.0)


def test_cells_beyond_the_96th_are_asked_for_and_tell_one_platform_from_the_other() -> None:
    heard = concatenate(
        Talk("hyundai_kia_egmp", pack_that_answers("hyundai_kia_egmp")).run(8.0).heard
    )
    assert [c.name for c in detect(heard)] == ["hyundai_kia_egmp"]
    heard = concatenate(Talk("hyundai_kia", pack_that_answers("hyundai_kia")).run(8.0).heard)
    assert [c.name for c in detect(heard)] == ["hyundai_kia"]


class Elsewhere:
    """The same pack behind another address of the Daly bus."""

    def __init__(self, bms: PolledBms, address: int) -> None:
        self.bms, self.address = bms, address

    def due(self, now_s: float) -> Frames | None:
        frames = self.bms.due(now_s)
        if frames is not None:
            frames.id[:] = frames.id & ~np.uint32(0xFF) | np.uint32(self.address)
        return frames

    def hear(self, frames: Frames, now_s: float) -> None:
        for row in range(len(frames)):
            if int(frames.id[row]) >> 8 & 0xFF == self.address:
                own = frames[row : row + 1]
                own = own[np.arange(1)]
                own.id[:] = own.id & ~np.uint32(0xFF00) | np.uint32(0x0100)
                self.bms.hear(own, now_s)


def test_a_pack_with_another_address_is_found_and_asked_everything() -> None:
    bms = pack_that_answers("daly")
    talk = Talk("daly", Elsewhere(bms, 3), load("daly").schedule).run(30.0)  # type: ignore[arg-type]
    heard = concatenate(talk.heard)
    assert {int(i) & 0xFF for i in heard.id[(heard.flags & TRANSMITTED) == 0]} == {3}
    learned = load("daly").specialise
    assert learned is not None
    found = learned(heard)
    assert found is not None
    _, index, value = Decoder([found[0]], found[1]).push(heard).group(0)
    newest = dict(zip(index.tolist(), value.tolist(), strict=True))
    assert len(newest) == 14
    for number, volts in newest.items():
        assert volts == pytest.approx(bms.values[f"cell.{number + 1}.voltage"], abs=0.001)


def test_beside_a_pack_at_the_usual_address_others_are_looked_for_ever_more_rarely() -> None:
    talk = Talk("daly", pack_that_answers("daly"), load("daly").schedule).run(60.0)
    others = [at for at, frame_id, _ in talk.ours() if frame_id >> 8 & 0xFF == 5]
    assert 1 <= len(others) <= 4
    assert talk.asker.status.asking == "asking"
    mine = [at for at, frame_id, _ in talk.ours() if frame_id == 0x18900140]
    assert len(mine) > 80
