"""J1939 transport as it passes: to everybody, to one, interleaved, damaged, cut anywhere."""

import numpy as np
import pytest

from protocols.frames import EXTENDED, Frames, empty_frames
from protocols.isotp import segment
from protocols.j1939 import IDENTITY, Reassembler, packets
from protocols.polled import Decoder
from protocols.roles import Binding, Mapping, Role
from protocols.signals import Database, Message, Signal, Transfer

GROUP = 0x1C1156F4  # from 0xF4 to 0x56
WANTED = [(GROUP & IDENTITY, IDENTITY)]
STEP_NS = 10_000_000


def said(listed: list[tuple[int, bytes]], step_ns: int = STEP_NS) -> Frames:
    frames = empty_frames(len(listed))
    for row, (frame_id, data) in enumerate(listed):
        frames.time[row], frames.id[row], frames.flags[row] = row * step_ns, frame_id, EXTENDED
        frames.length[row] = len(data)
        frames.data[row, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def heard(listed: list[tuple[int, bytes]], step_ns: int = STEP_NS) -> list[bytes]:
    pdus = Reassembler(WANTED).push(said(listed, step_ns))
    return [pdus.payload(k) for k in range(len(pdus))]


def body(length: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, length, np.uint8).tobytes()


@pytest.mark.parametrize("length", [9, 13, 14, 15, 49, 512, 1784, 1785])
def test_a_message_to_one_receiver_comes_back_whole_under_its_own_identifier(length: int) -> None:
    frames = said(packets(GROUP, body(length)))
    pdus = Reassembler(WANTED).push(frames)
    assert [pdus.payload(0)] == [body(length)]
    assert pdus.id[0] & IDENTITY == GROUP & IDENTITY
    assert (pdus.row[0], pdus.time[0]) == (len(frames) - 1, frames.time[-1])


def test_a_message_to_everybody_comes_back_whole() -> None:
    group = 0x18FECA00  # active trouble codes: a group that has no receiver
    reassembler = Reassembler([(group & IDENTITY, IDENTITY)])
    pdus = reassembler.push(said(packets(group, body(20), broadcast=True)))
    assert pdus.payload(0) == body(20)
    assert reassembler.counts.complete == 1


@pytest.mark.parametrize("length", [8, 1786])
def test_what_needs_no_transport_or_exceeds_it_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="9 to 1785"):
        packets(GROUP, bytes(length))


def test_packets_sent_again_or_out_of_order_find_their_place() -> None:
    head, *rest = packets(GROUP, body(30))
    assert heard([head, rest[1], rest[0], rest[1], *rest[2:]]) == [body(30)]


def test_permission_and_acknowledgement_of_the_receiver_change_nothing() -> None:
    head, *rest = packets(GROUP, body(30))
    permission = (0x1CECF456, bytes.fromhex("110501ffff001100"))
    done = (0x1CECF456, bytes.fromhex("131e0005ff001100"))
    assert heard([head, permission, *rest, done]) == [body(30)]


def test_senders_that_talk_at_once_are_kept_apart() -> None:
    other = 0x1C1156F5
    one, two = packets(GROUP, body(30, 1)), packets(other, body(30, 2))
    mixed = [frame for pair in zip(one, two, strict=True) for frame in pair]
    pdus = Reassembler([(0x1156F4, 0x03FFFFF0 | 4), *[(other & IDENTITY, IDENTITY)]]).push(
        said(mixed)
    )
    assert [pdus.payload(k) for k in range(2)] == [body(30, 1), body(30, 2)]
    assert (pdus.id & 0xFF).tolist() == [0xF4, 0xF5]


def test_a_lost_packet_costs_this_message_and_not_the_next() -> None:
    head, first, *rest = packets(GROUP, body(30))
    assert heard([head, *rest, head, first, *rest]) == [body(30)]


def test_an_abort_or_a_long_pause_ends_a_message() -> None:
    head, *rest = packets(GROUP, body(30))
    abort = (head[0], bytes.fromhex("ff03ffffff001100"))
    assert heard([head, *rest[:2], abort, *rest[2:]]) == []
    assert heard([head, *rest], step_ns=1_300_000_000) == []


@pytest.mark.parametrize(
    "head", ["1000000000001100", "10ffff02ff001100", "10140002ff001100", "1014"]
)
def test_announcements_that_cannot_be_are_nothing(head: str) -> None:
    """No bytes at all, too many, a number of packets that does not fit, a frame cut short."""
    _, *rest = packets(GROUP, body(20))
    assert heard([(0x1CEC56F4, bytes.fromhex(head)), *rest]) == []


def test_what_nobody_wants_is_passed_over_uncounted() -> None:
    reassembler = Reassembler(WANTED)
    assert len(reassembler.push(said(packets(0x1C0256F4, body(49))))) == 0
    assert reassembler.counts.malformed == reassembler.counts.aborted == 0


def test_cutting_the_stream_changes_nothing() -> None:
    frames = said([f for k in range(5) for f in packets(GROUP, body(23, k))])
    for step in (1, 2, 3, 7):
        reassembler = Reassembler(WANTED)
        parts = [reassembler.push(frames[at : at + step]) for at in range(0, len(frames), step)]
        listed = [p.payload(k) for p in parts for k in range(len(p))]
        assert listed == [body(23, k) for k in range(5)]


def test_any_bytes_do_no_harm() -> None:
    random = np.random.default_rng(3)
    frames = empty_frames(50_000)
    frames.id[:] = random.choice([0x1CEC56F4, 0x1CEB56F4, 0x1CECFFF4, 0x1CEBFFF4], len(frames))
    frames.flags[:] = EXTENDED
    frames.length[:] = random.integers(0, 9, len(frames))
    frames.data[:] = random.integers(0, 256, frames.data.shape)
    frames.data[::3, 0] = 0x10
    Reassembler([(0, 0)]).push(frames)


def test_both_transports_and_plain_frames_become_one_stream_of_samples() -> None:
    volts = Signal("V", 0, 16, scale=0.1, unit="V")
    plain = Message("Plain", 0x100, 8, (volts,))
    asked = Message("Asked", 0x7EC, 12, (Signal("Soc", 16, 8, scale=0.01),))
    packed = Message("Packed", GROUP & IDENTITY, 9, (Signal("I", 0, 16),), True, IDENTITY)
    database = Database(
        "t",
        (plain,),
        transfers=(Transfer(asked, b"\x61\x01"), Transfer(packed, b"", False, None, "j1939")),
    )
    bindings = tuple(
        Binding(m, s, Role("pack", field=f))
        for m, s, f in (
            ("Plain", "V", "voltage"),
            ("Asked", "Soc", "soc"),
            ("Packed", "I", "current"),
        )
    )
    rows = packets(GROUP, bytes([7, 0]) + bytes(7))
    frames = said(
        [*rows, (0x100, bytes([100, 0]))]
        + [(0x7EC, d) for d in segment(b"\x61\x01\x32" + bytes(9))]
    )
    frames.flags[len(rows) :] = 0
    samples = Decoder([database], Mapping("t", bindings)).push(frames)
    _, index, value = samples.group(3)
    assert list(zip(index.tolist(), value.tolist(), strict=True)) == [(1, 7.0), (0, 10.0), (2, 0.5)]
