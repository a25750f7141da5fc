"""Decoding agrees with cantools bit for bit, on random databases and frames."""

import random
import struct
from typing import Any

import numpy as np
import pytest
from cantools.database import Database as CantoolsDatabase
from cantools.database import DecodeError, load_string
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.dbc import parse_database
from protocols.dbc_text import to_dbc
from protocols.decode import Samples, compile_mapping, compile_messages, decode
from protocols.encode import encode
from protocols.frames import ERROR, EXTENDED, FD, REMOTE, Frames, empty_frames
from protocols.inspection import decode_one
from protocols.roles import Binding, Index, Mapping, Role
from protocols.signals import Database, Message, MuxCondition, Signal

SCALES = (1.0, 0.1, 0.001, 0.0001, 2.0, 0.5, -0.1, 3.0, 1 / 3, 1e6, 7.0)
OFFSETS = (0.0, -40.0, 500.0, 0.25, -273.15, 1e5)


def network_bits(signal: Signal) -> set[int]:
    """The bits that a signal occupies, as numbers of the DBC convention."""
    if signal.little_endian:
        return set(range(signal.start, signal.start + signal.length))
    first = 8 * (signal.start // 8) + 7 - signal.start % 8
    return {8 * (n // 8) + 7 - n % 8 for n in range(first, first + signal.length)}


def random_signal(rng: random.Random, name: str, bits: int) -> Signal:
    little = rng.random() < 0.5
    is_float = rng.random() < 0.12
    length = rng.choice((32, 64)) if is_float else rng.choice((1, 2, 7, 8, 12, 13, 16, 24, 33, 48))
    if not is_float and rng.random() < 0.08:
        length = rng.choice((53, 63, 64))
    length = min(length, bits)
    is_float = is_float and length in (32, 64)
    first = rng.randint(0, bits - length)
    start = first if little else 8 * (first // 8) + 7 - first % 8
    plain = is_float and rng.random() < 0.5
    return Signal(
        name,
        start,
        length,
        little_endian=little,
        signed=is_float or rng.random() < 0.5,
        is_float=is_float,
        scale=1.0 if plain else rng.choice(SCALES),
        offset=0.0 if plain else rng.choice(OFFSETS),
    )


def random_message(rng: random.Random, name: str, frame_id: int) -> Message:
    """A message without overlaps (cantools mishandles them), perhaps with nested multiplexing."""
    length = rng.choice((1, 4, 8, 8, 8, 8, 12, 24, 64))
    bits = 8 * length
    signals: list[Signal] = []
    always: set[int] = set()
    selectors: list[Signal] = []
    if length >= 4 and rng.random() < 0.5:
        selectors.append(Signal("Mux", 0, 8, is_selector=True))
        always |= set(range(8))
        if rng.random() < 0.5:
            nested = Signal("Sub", 8, 4, is_selector=True, mux=(MuxCondition("Mux", (1, 3)),))
            selectors.append(nested)
            always |= set(range(8, 12))
    signals += selectors
    taken: dict[Any, set[int]] = {}
    for k in range(rng.randint(1, 12)):
        signal = random_signal(rng, f"S{k}", bits)
        mux: tuple[MuxCondition, ...] = ()
        where: Any = None
        if selectors and rng.random() < 0.7:
            where = rng.randint(0, 3)
            mux = (MuxCondition("Mux", (where,)),)
            if len(selectors) == 2 and where in (1, 3) and rng.random() < 0.6:
                sub = rng.randint(0, 2)
                mux = (MuxCondition("Sub", (sub,)),)
                where = ("sub", sub)
        used = network_bits(signal)
        others = set().union(*taken.values()) if where is None else set()
        clash = always | others | taken.get(where, set()) | taken.get(None, set())
        if isinstance(where, tuple):
            clash |= taken.get(1, set()) | taken.get(3, set())
        elif where in (1, 3):
            clash |= set().union(*(v for key, v in taken.items() if isinstance(key, tuple)))
        if used & clash:
            continue
        taken.setdefault(where, set()).update(used)
        signals.append(
            Signal(
                signal.name,
                signal.start,
                signal.length,
                signal.little_endian,
                signal.signed,
                signal.is_float,
                signal.scale,
                signal.offset,
                mux=mux,
            )
        )
    return Message(name, frame_id, length, tuple(signals), extended=frame_id > 0x7FF)


def random_database(rng: random.Random) -> Database:
    ids: set[int] = set()
    while len(ids) < 4:
        ids.add(rng.choice((rng.randint(0, 0x7FF), rng.randint(0x800, 0x1FFFFFFF))))
    return Database(
        "random", tuple(random_message(rng, f"M{k}", i) for k, i in enumerate(sorted(ids)))
    )


def random_frames(rng: random.Random, database: Database, count: int) -> Frames:
    frames = empty_frames(count, 64)
    for row in range(count):
        message = rng.choice(database.messages)
        data = bytearray(rng.randbytes(message.length))
        if message.length >= 4 and message.signals[0].name == "Mux":
            data[0] = rng.randint(0, 4)
            data[1] = (data[1] & 0xF0) | rng.randint(0, 3)
        frames.time[row] = row
        frames.id[row] = message.id
        frames.flags[row] = (EXTENDED if message.extended else 0) | (FD if len(data) > 8 else 0)
        frames.length[row] = len(data)
        frames.data[row, : len(data)] = np.frombuffer(bytes(data), np.uint8)
    return frames


def by_frame(samples: Samples, database: Database) -> dict[tuple[int, str, str], float]:
    found = {}
    for group, message in enumerate(database.messages):
        time, index, value = samples.group(group)
        for t, i, v in zip(time.tolist(), index.tolist(), value.tolist(), strict=True):
            found[t, message.name, message.signals[i].name] = v
    return found


def same(signal: Signal, ours: float, theirs: float) -> bool:
    """Bit for bit, but where a float64 cannot hold the integers in between."""
    whole = not signal.is_float and signal.scale.is_integer() and signal.offset.is_integer()
    largest = 2.0**signal.length * abs(signal.scale) + abs(signal.offset)
    if (signal.length > 53 and not signal.is_float) or (whole and largest >= 2**63):
        return ours == pytest.approx(float(theirs), rel=1e-15)
    return struct.pack("<d", ours + 0.0) == struct.pack("<d", float(theirs) + 0.0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_databases_decode_bit_for_bit_as_cantools_does(seed: int) -> None:
    rng = random.Random(seed)
    database = random_database(rng)
    reference = load_string(to_dbc(database), "dbc")
    assert isinstance(reference, CantoolsDatabase)
    frames = random_frames(rng, database, 60)
    found = by_frame(decode(frames, compile_messages(database.messages)), database)
    for row in range(len(frames)):
        message = next(m for m in database.messages if m.id == frames.id[row])
        payload = frames.data[row, : frames.length[row]].tobytes()
        theirs = _theirs(reference, message, payload)
        if theirs is None:
            continue
        for name, value in theirs.items():
            ours = found.pop((row, message.name, name), None)
            if isinstance(value, float) and np.isnan(value):
                assert ours is None, "not a number is unknown"
            else:
                assert ours is not None, (message.name, name)
                assert same(message.signal(name), ours, value), (message.name, name, ours, value)
        raw = _theirs(reference, message, payload, scaling=False) or {}
        for reading in decode_one(message, payload):
            if not message.signal(reading.name).is_float:
                assert reading.raw == raw[reading.name]
        left = {key for key in found if key[0] == row and key[1] == message.name}
        assert not left, f"cantools does not give {left}"


def _theirs(
    reference: CantoolsDatabase, message: Message, payload: bytes, scaling: bool = True
) -> dict[str, Any] | None:
    """cantools refuses a frame whose multiplexer has a value that the database does not list."""
    try:
        known = reference.get_message_by_name(message.name)
        return dict(known.decode(payload, False, scaling=scaling))
    except DecodeError:
        return None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_a_frame_read_for_people_has_the_same_values(seed: int) -> None:
    rng = random.Random(seed)
    database = random_database(rng)
    frames = random_frames(rng, database, 20)
    found = by_frame(decode(frames, compile_messages(database.messages)), database)
    for row in range(len(frames)):
        message = next(m for m in database.messages if m.id == frames.id[row])
        payload = frames.data[row, : frames.length[row]].tobytes()
        for reading in decode_one(message, payload):
            ours = found.pop((row, message.name, reading.name), None)
            if ours is None:
                assert np.isnan(reading.value)
            else:
                assert same(message.signal(reading.name), ours, reading.value)
    assert not found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_encoded_decodes_to_the_same_raw_values(seed: int) -> None:
    rng = random.Random(seed)
    message = random_message(rng, "M", 0x123)
    chosen = {"Mux": float(rng.randint(0, 3)), "Sub": float(rng.randint(0, 2))}
    plain = [s for s in message.signals if not s.mux and not s.is_float and s.length <= 48]
    values = {s.name: s.scale * rng.randint(0, 2 ** (s.length - 1) - 1) + s.offset for s in plain}
    values |= {name: v for name, v in chosen.items() if any(s.name == name for s in plain)}
    payload = encode(message, values)
    assert len(payload) == message.length
    read = {reading.name: reading.value for reading in decode_one(message, payload)}
    for signal in plain:
        assert read[signal.name] == pytest.approx(values[signal.name], abs=1e-6 * abs(signal.scale))


def frame(data: bytes, frame_id: int = 0x100, flags: int = 0, width: int = 8) -> Frames:
    frames = empty_frames(1, width)
    frames.id[:], frames.flags[:], frames.length[:] = frame_id, flags, len(data)
    frames.data[0, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def values(message: Message, frames: Frames) -> list[float]:
    _, _, value = decode(frames, compile_messages([message])).group(0)
    return value.tolist()


U16 = Signal("A", 0, 16)
LAST = Signal("B", 48, 16)


def test_a_signal_beyond_a_short_frame_is_left_out() -> None:
    message = Message("M", 0x100, 8, (U16, LAST))
    assert values(message, frame(bytes(8))) == [0.0, 0.0]
    assert values(message, frame(bytes(7))) == [0.0]
    assert values(message, frame(b"\1")) == []
    assert values(message, frame(b"")) == []


def test_remote_and_error_frames_and_other_identifiers_hold_nothing() -> None:
    message = Message("M", 0x100, 8, (U16,))
    assert values(message, frame(bytes(8), flags=REMOTE)) == []
    assert values(message, frame(bytes(8), flags=ERROR)) == []
    assert values(message, frame(bytes(8), flags=EXTENDED)) == []
    assert values(message, frame(bytes(8), frame_id=0x101)) == []
    assert values(message, frame(bytes(8), frame_id=0x900)) == []


def test_an_identifier_mask_lets_the_address_vary() -> None:
    message = Message("M", 0x2900, 8, (U16,), extended=True, id_mask=0x1FFFFF00)
    for address in (0x00, 0x0A, 0xFF):
        assert values(message, frame(bytes(8), 0x2900 | address, EXTENDED)) == [0.0]
    assert values(message, frame(bytes(8), 0x2A00, EXTENDED)) == []
    short = Message("N", 0x100, 8, (U16,), id_mask=0x7F0)
    assert values(short, frame(bytes(8), 0x10F)) == [0.0]
    assert values(short, frame(bytes(8), 0x110)) == []


def test_half_precision_agrees_with_struct_for_every_bit_pattern() -> None:
    message = Message("M", 0x100, 8, (Signal("H", 0, 16, is_float=True, signed=True),))
    frames = empty_frames(65_536)
    frames.id[:], frames.length[:] = 0x100, 8
    patterns = np.arange(65_536, dtype="<u2")
    frames.data[:, :2] = patterns.view(np.uint8).reshape(-1, 2)
    frames.time[:] = np.arange(65_536)
    time, _, value = decode(frames, compile_messages([message])).group(0)
    expected = patterns.view(np.float16).astype(np.float64)
    number = ~np.isnan(expected)
    assert np.array_equal(time, np.flatnonzero(number))
    assert np.array_equal(value, expected[number])


def test_invalid_raw_values_and_values_out_of_range_are_unknown() -> None:
    signal = Signal("A", 0, 16, scale=0.001, invalid=(0xFFFF, 0))
    message = Message("M", 0x100, 8, (signal,))
    mapping = Mapping("t", (Binding("M", "A", Role("cell", 3), valid=(0.5, 5.0)),))
    layout = compile_mapping([Database("t", (message,))], mapping)
    for raw, expected in ((3600, [3.6]), (0xFFFF, []), (0, []), (400, []), (5001, [])):
        _, index, value = decode(frame(raw.to_bytes(2, "little")), layout).group(0)
        assert value.tolist() == expected
        assert index.tolist() == [2] * len(expected)


def test_the_number_may_come_from_the_payload_and_end_at_the_count() -> None:
    message = Message(
        "M",
        0x100,
        8,
        (Signal("First", 0, 8), Signal("Count", 8, 8), Signal("V1", 16, 16), Signal("V2", 32, 16)),
    )
    bindings = tuple(
        Binding("M", f"V{k + 1}", Role("cell"), 0.001, index=Index("First", first=1, position=k),
                count_signal="Count")
        for k in range(2)
    )  # fmt: skip
    layout = compile_mapping([Database("t", (message,))], Mapping("t", bindings))
    for first, columns in ((1, [0, 1]), (9, [8, 9]), (10, [9]), (11, []), (0, [0])):
        data = bytes((first, 10)) + (3600).to_bytes(2, "little") * 2
        _, index, _ = decode(frame(data), layout).group(0)
        assert index.tolist() == columns, first


def test_groups_stay_in_time_order_and_blocks_may_be_cut_anywhere() -> None:
    rng = random.Random(3)
    database = random_database(rng)
    frames = random_frames(rng, database, 500)
    layout = compile_messages(database.messages)
    whole = decode(frames, layout)
    for group in range(len(database.messages)):
        time, index, value = whole.group(group)
        assert np.all(np.diff(time) >= 0)
        parts = [decode(frames[at : at + 37], layout).group(group) for at in range(0, 500, 37)]
        assert np.array_equal(np.concatenate([p[0] for p in parts]), time)
        assert np.array_equal(np.concatenate([p[1] for p in parts]), index)
        assert np.array_equal(np.concatenate([p[2] for p in parts]), value)
    assert len(decode(empty_frames(), layout)) == 0


def test_two_messages_may_share_an_identifier() -> None:
    first = Message("A", 0x100, 8, (U16,))
    second = Message("B", 0x100, 8, (Signal("C", 16, 8),))
    samples = decode(frame(bytes((1, 0, 7))), compile_messages([first, second]))
    assert samples.group(0)[2].tolist() == [1.0]
    assert samples.group(1)[2].tolist() == [7.0]


def test_a_wrong_name_in_a_mapping_is_named() -> None:
    database = Database("t", (Message("M", 0x100, 8, (U16,)),))
    with pytest.raises(ValueError, match="no database has the message N"):
        compile_mapping([database], Mapping("t", (Binding("N", "A", Role("cell", 1)),)))
    with pytest.raises(ValueError, match="message M has no signal Z"):
        compile_mapping([database], Mapping("t", (Binding("M", "Z", Role("cell", 1)),)))


def test_a_multiplexer_with_a_huge_range_costs_no_memory() -> None:
    wide = MuxCondition("Mux", tuple(range(65_536)))
    signals = [Signal("Mux", 0, 16, is_selector=True)]
    signals += [Signal(f"S{k}", 16 + k, 1, mux=(wide,)) for k in range(40)]
    layout = compile_messages([Message("M", 0x100, 8, tuple(signals))])
    assert len(layout.tables.signals.entries) == 41
    assert len(decode(frame(b"\x12\x34\xff\xff\xff\xff\xff\xff"), layout)) == 41


def test_read_only_and_unaligned_blocks_decode_alike() -> None:
    message = Message("M", 0x100, 8, (U16,))
    frames = frame(bytes((5, 0, 0, 0, 0, 0, 0, 0)))
    buffer = np.zeros(9, np.uint8)
    buffer[1:] = frames.data[0]
    shifted = Frames(
        frames.time, frames.id, frames.flags, frames.channel, frames.length,
        buffer[1:].reshape(1, 8),
    )  # fmt: skip
    shifted.data.flags.writeable = False
    assert values(message, shifted) == [5.0]


def test_a_database_survives_being_written_as_dbc_and_read_again() -> None:
    rng = random.Random(11)
    for _ in range(20):
        database = random_database(rng)
        read = parse_database("again.dbc", to_dbc(database))
        for own in database.messages:
            again = read.message(own.name)
            assert {s.name for s in again.signals} == {s.name for s in own.signals}
            for signal in own.signals:
                other = again.signal(signal.name)
                assert (other.start, other.length, other.scale, other.offset) == (
                    signal.start, signal.length, signal.scale, signal.offset)  # fmt: skip
