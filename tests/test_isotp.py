"""ISO-TP as it passes: what is put together, what is given up, and that cutting changes nothing."""

import numpy as np
import pytest

from protocols.frames import EXTENDED, REMOTE, Frames, concatenate, empty_frames
from protocols.isotp import Counts, Pdus, Reassembler, segment
from protocols.polled import Decoder, as_message, decode_transfers
from protocols.roles import Binding, Mapping, Role
from protocols.signals import Database, Message, Signal, Transfer

ANSWERS, ASKS = 0x7BB, 0x79B
MILLISECOND = 1_000_000


def said(datas: list[bytes], frame_id: int = ANSWERS, channel: int = 0, width: int = 8) -> Frames:
    frames = empty_frames(len(datas), width)
    frames.time[:] = np.arange(len(datas)) * MILLISECOND
    frames.id[:] = frame_id
    frames.channel[:] = channel
    for row, data in enumerate(datas):
        frames.length[row] = len(data)
        frames.data[row, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def in_turns(*streams: Frames) -> Frames:
    """Frames of several senders, one of each after the other."""
    rows = [(k, s) for s, frames in enumerate(streams) for k in range(len(frames))]
    mixed = concatenate([streams[s][k : k + 1] for k, s in sorted(rows)])
    mixed.time[:] = np.arange(len(mixed)) * MILLISECOND
    return mixed


def heard(frames: Frames, reassembler: Reassembler | None = None) -> list[bytes]:
    pdus = (reassembler or Reassembler([(ANSWERS, False)])).push(frames)
    return [pdus.payload(k) for k in range(len(pdus))]


def message(length: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, length, np.uint8).tobytes()


@pytest.mark.parametrize("length", [1, 6, 7, 8, 13, 14, 62, 198, 255, 256, 4094, 4095])
def test_a_message_of_any_length_comes_back_whole(length: int) -> None:
    frames = said(segment(message(length)))
    pdus = Reassembler([(ANSWERS, False)]).push(frames)
    assert pdus.payload(0) == message(length)
    assert len(pdus) == 1
    assert pdus.length[0] == length
    assert pdus.time[0] == frames.time[-1]
    assert pdus.row[0] == len(frames) - 1
    assert pdus.id[0] == ANSWERS


@pytest.mark.parametrize("length", [0, 4096])
def test_no_frames_carry_nothing_or_too_much(length: int) -> None:
    with pytest.raises(ValueError, match="1 to 4095"):
        segment(bytes(length))


def test_a_last_frame_without_padding_is_enough() -> None:
    datas = segment(message(10))
    datas[-1] = datas[-1][:5]
    assert heard(said(datas)) == [message(10)]


def test_flow_control_of_either_side_is_passed_over() -> None:
    datas = segment(message(20))
    datas.insert(1, bytes.fromhex("3000000000000000"))
    asked = said([bytes.fromhex("0221020000000000"), bytes.fromhex("3000000000000000")], ASKS)
    listener = Reassembler([(ANSWERS, False)])
    assert heard(in_turns(said(datas), asked), listener) == [message(20)]
    assert listener.counts == Counts(complete=1)


@pytest.mark.parametrize("lost", [1, 5, 27])
def test_a_lost_frame_costs_its_message_and_no_other(lost: int) -> None:
    datas = segment(message(198, 1))
    del datas[lost]
    listener = Reassembler([(ANSWERS, False)])
    assert heard(said(datas + segment(message(50, 2))), listener) == [message(50, 2)]
    rest = len(segment(message(198, 1))) - lost - 1
    assert listener.counts == Counts(complete=1, aborted=1, stray=rest - 1)


def test_a_lost_end_is_noticed_when_the_next_message_begins() -> None:
    listener = Reassembler([(ANSWERS, False)])
    datas = segment(message(198, 1))[:-1] + segment(message(50, 2))
    assert heard(said(datas), listener) == [message(50, 2)]
    assert listener.counts == Counts(complete=1, aborted=1)


def test_frames_out_of_order_or_twice_abort() -> None:
    for swapped in ([0, 2, 1, 3], [0, 1, 1, 2, 3]):
        datas = segment(message(27))
        listener = Reassembler([(ANSWERS, False)])
        assert heard(said([datas[k] for k in swapped]), listener) == []
        assert listener.counts.aborted == 1


def test_a_shortened_frame_in_the_middle_aborts() -> None:
    datas = segment(message(27))
    datas[2] = datas[2][:6]
    listener = Reassembler([(ANSWERS, False)])
    assert heard(said(datas), listener) == []
    assert listener.counts == Counts(aborted=1, stray=1)


def test_a_frame_that_fits_after_a_pause_is_not_joined() -> None:
    frames = said(segment(message(13)))
    frames.time[1] += 1_500 * MILLISECOND
    listener = Reassembler([(ANSWERS, False)])
    assert heard(frames, listener) == []
    assert listener.counts == Counts(aborted=1, stray=1)


def test_senders_and_channels_in_turns_are_kept_apart() -> None:
    wanted = [message(60, seed) for seed in range(4)]
    streams = [
        said(segment(wanted[0])),
        said(segment(wanted[1]), 0x7EC),
        said(segment(wanted[2]), channel=1),
        said(segment(wanted[3]), 0x18DAF1DB),
    ]
    streams[3].flags[:] = EXTENDED
    listener = Reassembler([(ANSWERS, False), (0x7EC, False), (0x18DAF1DB, True)])
    pdus = listener.push(in_turns(*streams))
    assert [pdus.payload(k) for k in range(4)] == wanted
    assert pdus.id.tolist() == [ANSWERS, 0x7EC, ANSWERS, 0x18DAF1DB]
    assert pdus.channel.tolist() == [0, 0, 1, 0]


def test_other_identifiers_of_the_same_number_and_remote_frames_are_not_heard() -> None:
    frames = said(segment(message(13)))
    frames.flags[:] = EXTENDED
    assert heard(frames) == []
    frames.flags[:] = REMOTE
    assert heard(frames) == []


def test_a_long_single_frame_of_can_fd_is_read() -> None:
    data = bytes([0, 40]) + message(40)
    assert heard(said([data], width=64)) == [message(40)]


def test_only_the_wanted_bytes_are_kept() -> None:
    pdus = Reassembler([(ANSWERS, False)], keep=20).push(said(segment(message(100))))
    assert pdus.length.tolist() == [100]
    assert pdus.data.shape == (1, 24)
    assert pdus.data[0].tobytes() == message(100)[:24]


def noisy(count: int, width: int, seed: int) -> Frames:
    """Random frames in which whole messages occur as well."""
    random = np.random.default_rng(seed)
    frames = empty_frames(count, width)
    frames.time[:] = np.cumsum(random.integers(0, 20, count)) * MILLISECOND
    frames.id[:] = random.choice([ANSWERS, ASKS, 0x7EC, 0x123], count)
    frames.flags[:] = random.choice([0, 0, 0, 0, EXTENDED, REMOTE, 255], count)
    frames.channel[:] = random.integers(0, 3, count)
    frames.length[:] = random.integers(0, 256, count)
    frames.data[:] = random.integers(0, 256, frames.data.shape)
    frames.data[:, 0] = random.choice([3, 0x10, 0x21, 0x22, 0x23, 0x30, 0x71], count)
    frames.data[:, 1] = random.choice([0, 5, 20, 255], count)
    frames.length[random.random(count) < 0.8] = 8
    return frames


def joined(parts: list[Pdus], offsets: list[int]) -> list[tuple[int, ...]]:
    return [
        (int(p.row[k]) + at, int(p.time[k]), int(p.id[k]), int(p.channel[k]), *p.payload(k))
        for p, at in zip(parts, offsets, strict=True)
        for k in range(len(p))
    ]


@pytest.mark.parametrize("width", [8, 64])
def test_any_bytes_are_survived_and_cutting_changes_nothing(width: int) -> None:
    senders = [(ANSWERS, False), (0x7EC, False), (0x7EC, True)]
    frames = noisy(60_000, width, width)
    whole, cut = Reassembler(senders), Reassembler(senders)
    expected = joined([whole.push(frames)], [0])
    random = np.random.default_rng(3)
    parts, offsets, at = [], [], 0
    while at < len(frames):
        step = int(random.integers(0, 400))
        parts.append(cut.push(frames[at : at + step]))
        offsets.append(at)
        at += step
    assert joined(parts, offsets) == expected
    assert whole.counts == cut.counts
    assert whole.counts.complete == len(expected) > 500
    assert min(whole.counts.aborted, whole.counts.stray, whole.counts.malformed) > 100
    assert any(len(row) > 4 + 7 for row in expected)


ANSWER = Message(
    "Answer",
    ANSWERS,
    300,
    (
        Signal("Early", 31, 16, little_endian=False, scale=0.001, unit="V"),
        Signal("Late", 8 * 298, 16, scale=0.001, unit="V"),
    ),
)
STATUS = Message("Status", 0x100, 8, (Signal("Voltage", 0, 16, scale=0.001, unit="V"),))


def polled_database(exact: bool = False) -> Database:
    return Database("polled", (STATUS,), transfers=(Transfer(ANSWER, b"\x62\x01", exact),))


BINDINGS = (
    Binding("Answer", "Early", Role("cell", 1), why="test"),
    Binding("Answer", "Late", Role("cell", 2), why="test"),
    Binding("Status", "Voltage", Role("cell", 3), why="test"),
)


def answer(early: int, late: int, length: int = 300, prefix: bytes = b"\x62\x01") -> list[bytes]:
    body = prefix + b"\x00" + early.to_bytes(2, "big")
    return segment((body + bytes(300))[: length - 2] + late.to_bytes(2, "little"))


def test_signals_beyond_255_bytes_are_decoded() -> None:
    samples = Decoder([polled_database()], Mapping("polled", BINDINGS)).push(
        said(answer(3700, 3701))
    )
    _, index, value = samples.group(0)
    assert index.tolist() == [0, 1]
    assert value.tolist() == pytest.approx([3.7, 3.701])
    by_signal = decode_transfers(said(answer(3700, 3701)), polled_database().transfers)
    assert by_signal.value.tolist() == pytest.approx([3.7, 3.701])


def test_another_prefix_is_another_message() -> None:
    decoder = Decoder([polled_database()], Mapping("polled", BINDINGS))
    assert len(decoder.push(said(answer(3700, 3701, prefix=b"\x62\x02")))) == 0
    assert decoder.counts.complete == 1


def test_an_exact_layout_reads_no_other_length() -> None:
    for length, early_only in ((290, 1), (300, 2)):
        loose = Decoder([polled_database()], Mapping("polled", BINDINGS))
        exact = Decoder([polled_database(exact=True)], Mapping("polled", BINDINGS))
        frames = said(answer(3700, 3701, length))
        assert len(loose.push(frames)) == early_only
        assert len(exact.push(frames)) == (2 if length == 300 else 0)


def test_answers_take_their_place_among_plain_frames_of_the_same_instant() -> None:
    datas = answer(3700, 3701)
    status = [(1000 + k).to_bytes(2, "little") + bytes(6) for k in range(len(datas) + 5)]
    frames = in_turns(said(datas), said(status, 0x100))
    frames.time[:] = 5 * MILLISECOND
    whole = Decoder([polled_database()], Mapping("polled", BINDINGS)).push(frames)
    _, index, value = whole.group(0)
    at = index.tolist().index(0)
    assert index[at : at + 2].tolist() == [0, 1]
    # The answer ends with the frame after the one before the last status of its turn.
    assert value[at - 1] == pytest.approx(1.0 + (len(datas) - 2) / 1000)
    cut = Decoder([polled_database()], Mapping("polled", BINDINGS))
    parts = [cut.push(frames[k : k + 1]).group(0) for k in range(len(frames))]
    assert np.concatenate([p[1] for p in parts]).tolist() == index.tolist()
    assert np.concatenate([p[2] for p in parts]).tolist() == value.tolist()


def test_a_prefix_that_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 6 bytes"):
        as_message(Transfer(ANSWER, bytes(7)))
