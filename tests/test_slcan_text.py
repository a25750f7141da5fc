"""SLCAN text: what was coded comes back, and nothing else does."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.frames import (
    BIT_RATE_SWITCH,
    ERROR,
    EXTENDED,
    FD,
    REMOTE,
    Frames,
    concatenate,
    empty_frames,
)
from protocols.slcan import FD_LENGTHS, MAX_LINE, Parsed, encode, parse


@st.composite
def one_frame(draw: st.DrawFn, *, fd: bool) -> Frames:
    flags = draw(st.sampled_from([0, EXTENDED, REMOTE, EXTENDED | REMOTE]))
    if fd and draw(st.booleans()):
        flags = (flags & EXTENDED) | FD | draw(st.sampled_from([0, BIT_RATE_SWITCH]))
    lengths = FD_LENGTHS if flags & FD else range(9)
    length = 0 if flags & REMOTE else draw(st.sampled_from(list(lengths)))
    frames = empty_frames(1, 64 if fd else 8)
    frames.id[0] = draw(st.integers(0, 0x1FFFFFFF if flags & EXTENDED else 0x7FF))
    frames.flags[0], frames.length[0] = flags, length
    frames.data[0, :length] = list(draw(st.binary(min_size=length, max_size=length)))
    return frames


def same(one: Frames, other: Frames) -> bool:
    columns = ("id", "flags", "length")
    return all((getattr(one, c) == getattr(other, c)).all() for c in columns) and bool(
        (one.data[:, : other.width] == other.data[:, : one.width]).all()
    )


def in_pieces(text: bytes, cuts: list[int], *, fd: bool = False) -> list[Parsed]:
    """What a reader gets that is handed the text in pieces."""
    parts, rest = [], b""
    edges = [0, *sorted(c % (len(text) + 1) for c in cuts), len(text)]
    for begin, end in itertools.pairwise(edges):
        part = parse(rest + text[begin:end], fd=fd)
        rest = part.rest
        parts.append(part)
    return parts


@given(st.lists(one_frame(fd=True), min_size=1, max_size=20))
def test_every_frame_comes_back_from_its_text(frames: list[Frames]) -> None:
    block = concatenate(frames)
    parsed = parse(encode(block), fd=True)
    assert (parsed.bad, parsed.replies, parsed.nak, parsed.rest) == (0, 0, 0, b"")
    assert len(parsed.frames) == len(block)
    assert same(parsed.frames, block)


@given(st.lists(one_frame(fd=False), min_size=1, max_size=20), st.lists(st.integers(0), max_size=8))
def test_text_cut_anywhere_gives_the_same_frames(frames: list[Frames], cuts: list[int]) -> None:
    block = concatenate(frames)
    parts = in_pieces(encode(block), cuts)
    assert same(concatenate([p.frames for p in parts if len(p.frames)]), block)
    assert sum(p.bad for p in parts) == 0


@pytest.mark.parametrize(
    "line",
    [
        b"t12",  # no DLC
        b"t1238 11223344556677",  # a space
        b"t1238112233445566",  # a byte short
        b"t123811223344556677889",  # half a byte long
        b"t1239112233445566778899",  # DLC 9 is none in classic CAN
        b"t123F",
        b"tXYZ0",
        b"t-120",
        b"t8000",  # id above 0x7FF
        b"T200000000",  # id above 29 bits
        b"T1234567",
        b"r12388",  # a remote frame carries no data
        b"t1230G000",  # stamp that is not hex
        b"t\x80230",
        b"\xfft1230",
        b"x1230",
        b" t1230",
        b"b1230",  # FD letter on a classic bus
        b"t1230\x00",
        b"t" + b"0" * 500,
    ],
)
def test_a_bad_line_is_counted_and_the_next_frame_is_read(line: bytes) -> None:
    parsed = parse(b"t0010\r" + line + b"\rt4562AABB\r")
    assert parsed.frames.id.tolist() == [0x001, 0x456]
    assert parsed.frames.data[1].tolist() == [0xAA, 0xBB, 0, 0, 0, 0, 0, 0]
    assert (parsed.lines, parsed.bad) == (3, 1)


def test_replies_and_refusals_are_no_frames_and_no_errors() -> None:
    parsed = parse(b"\r\aV1013\rNA123\rz\rF00\rt1230\r\a")
    assert parsed.frames.id.tolist() == [0x123]
    assert (parsed.lines, parsed.replies, parsed.bad, parsed.nak) == (5, 4, 0, 2)


def test_a_refusal_inside_a_frame_makes_no_frame() -> None:
    parsed = parse(b"t1230\at4560\r")
    assert parsed.frames.id.tolist() == [0x456]
    assert (parsed.bad, parsed.nak) == (1, 1)


def test_stamps_are_told_apart_from_data() -> None:
    parsed = parse(b"t1231AA\rt1231AAEA5F\rT000001230\rT0000012300001\rr12340010\rt1230\n")
    assert parsed.stamp_ms.tolist() == [-1, 59999, -1, 1, 16, -1]
    assert parsed.bad == 0


def test_text_without_an_end_stays_small_and_is_one_bad_line() -> None:
    rest = b""
    for _ in range(1000):
        parsed = parse(rest + b"t1238" * 100)
        rest = parsed.rest
        assert len(rest) <= 2 * MAX_LINE
        assert len(parsed.frames) == 0
    parsed = parse(rest + b"\rt1230\r")
    assert parsed.frames.id.tolist() == [0x123]
    assert parsed.bad == 1


def test_error_frames_have_no_text() -> None:
    frames = empty_frames(2)
    frames.flags[0] = ERROR
    assert encode(frames) == b"t0000\r"


def test_100000_fuzzed_lines_raise_nothing_and_the_next_frame_is_always_read() -> None:
    dice = random.Random(7)
    good = b"t2348DEADBEEF00112233\r"
    alphabet = b"0123456789ABCDEFabcdef" * 3 + b"tTrRdDbB" * 4 + bytes(range(256))
    lines = 0
    while lines < 100_000:
        text = bytearray()
        for _ in range(500):
            line = bytearray(good[:-1])
            for _ in range(dice.randrange(4)):
                place = dice.randrange(len(line) + 1)
                what = dice.randrange(3)
                if what == 0:
                    line[place:place] = bytes([dice.choice(alphabet)])
                elif what == 1 and place < len(line):
                    del line[place]
                elif place < len(line):
                    line[place] = dice.choice(alphabet)
            text += line + b"\r"
            lines += 1
        for fd in (False, True):
            parsed = parse(bytes(text) + b"\r" + good, fd=fd)
            assert parsed.lines == len(parsed.frames) + parsed.bad + parsed.replies
            last = parsed.frames[-1:]
            assert last.id.tolist() == [0x234]
            assert last.data[0, :8].tobytes() == bytes.fromhex("DEADBEEF00112233")
            assert (parsed.frames.length[parsed.frames.flags & FD == 0] <= 8).all()


@settings(max_examples=200)
@given(st.binary(max_size=600))
def test_any_bytes_at_all_raise_nothing(garbage: bytes) -> None:
    parsed = parse(garbage + b"\rt1230\r")
    assert parsed.frames.id.tolist()[-1] == 0x123
    assert np.count_nonzero(parsed.frames.id > 0x1FFFFFFF) == 0
