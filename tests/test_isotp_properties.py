"""ISO-TP heard on any bus: whatever is lost, mixed or cut, no message is wrong, none missed."""

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.frames import EXTENDED, Frames, empty_frames
from protocols.isotp import Pdus, Reassembler
from protocols.isotp_frames import segment

SENDERS = (
    (0x7BB, False, None),
    (0x7EC, False, None),
    (0x18DAF1DB, True, None),
    (0x607, False, 0xF1),
)
ADDRESSED = {(0x607, False): 0xF1}
ASKED_BY = {(0x7BB, False): 0x79B, (0x7EC, False): 0x7E4, (0x18DAF1DB, True): 0x18DADBF1}
OTHERS = ((0x79C, False), (0x7BB, True), (0x123, False))

messages = st.lists(
    st.tuples(st.integers(0, len(SENDERS) - 1), st.binary(min_size=1, max_size=150)),
    min_size=1,
    max_size=8,
)


def listener() -> Reassembler:
    senders = [(i, e) for i, e, _ in SENDERS]
    return Reassembler(senders, addressed=ADDRESSED, asked_by=ASKED_BY)


def frames_of(rows: list[tuple[int, bool, bytes]]) -> Frames:
    frames = empty_frames(len(rows))
    for k, (frame_id, extended, data) in enumerate(rows):
        frames.time[k], frames.id[k] = k * 1_000_000, frame_id
        frames.flags[k], frames.length[k] = EXTENDED if extended else 0, len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def heard(pdus: Pdus) -> list[tuple[int, bytes]]:
    ids = [i for i, _, _ in SENDERS]
    return [(ids.index(int(pdus.id[k])), pdus.payload(k)) for k in range(len(pdus))]


def streams(sent: list[tuple[int, bytes]]) -> dict[int, list[tuple[int, bytes]]]:
    """Per sender its frames in order: (number of the message, data)."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    for number, (sender, payload) in enumerate(sent):
        _, _, address = SENDERS[sender]
        for data in segment(payload, 0xAA, address):
            found.setdefault(sender, []).append((number, data))
    return found


@settings(max_examples=150, deadline=None)
@given(messages, st.randoms(use_true_random=False), st.floats(0.0, 0.4))
def test_lost_frames_and_interleaved_senders_cost_only_their_own_messages(
    sent: list[tuple[int, bytes]], dice: Random, loss: float
) -> None:
    waiting = {sender: list(frames) for sender, frames in streams(sent).items()}
    rows: list[tuple[int, bool, bytes]] = []
    whole = dict.fromkeys(range(len(sent)), True)
    asked: set[int] = set()
    while waiting:
        sender = dice.choice(sorted(waiting))
        number, data = waiting[sender].pop(0)
        frame_id, extended, _ = SENDERS[sender]
        question = ASKED_BY.get((frame_id, extended))
        if question is not None and number not in asked:
            rows.append((question, extended, bytes.fromhex("0322010100000000")))
        elif question is not None and dice.random() < 0.2:  # neither ends an answer
            other = dice.choice(("023e800000000000", "3000050000000000"))
            rows.append((question, extended, bytes.fromhex(other)))
        asked.add(number)
        if dice.random() < loss:
            whole[number] = False
        else:
            rows.append((frame_id, extended, data))
        if dice.random() < 0.3:  # another tester, or the same number on the other width
            rows.append((*dice.choice(OTHERS), dice.randbytes(8)))
        if dice.random() < 0.2:  # flow control of whoever asks, from the sender itself
            flow = b"\xf1\x30\x00\x05" if frame_id == 0x607 else b"\x30\x00\x05"
            rows.append((frame_id, extended, flow.ljust(8, b"\x00")))
        if not waiting[sender]:
            del waiting[sender]
    got = heard(listener().push(frames_of(rows)))
    for sender in range(len(SENDERS)):
        complete = [p for n, (s, p) in enumerate(sent) if s == sender and whole[n]]
        mine = [payload for s, payload in got if s == sender]
        # Everything that arrived whole, in order; where the questions are heard, nothing else.
        if SENDERS[sender][:2] in ASKED_BY:
            assert mine == complete
        at = 0
        for payload in mine:
            if at < len(complete) and payload == complete[at]:
                at += 1
        assert at == len(complete)


@settings(max_examples=100, deadline=None)
@given(messages, st.lists(st.integers(1, 40), max_size=12))
def test_it_does_not_matter_how_the_stream_is_cut(
    sent: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    found = streams(sent)
    longest = max(len(frames) for frames in found.values())
    rows = [
        (*SENDERS[sender][:2], frames[k][1])
        for k in range(longest)
        for sender, frames in sorted(found.items())
        if k < len(frames)
    ]
    block = frames_of(rows)
    whole = heard(listener().push(block))
    cut, at, pieces = listener(), 0, []
    for size in [*cuts, len(block)]:
        pieces += heard(cut.push(block[at : at + size]))
        at += size
    assert pieces == whole
    assert sorted(whole) == sorted(sent)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=8)), max_size=60))
def test_no_bytes_make_it_fail_and_every_frame_is_counted(noise: list[tuple[int, bytes]]) -> None:
    rows = [(*SENDERS[sender][:2], data) for sender, data in noise]
    ears = listener()
    pdus = ears.push(frames_of(rows))
    counts = ears.counts
    assert counts.complete == len(pdus)
    assert counts.complete + counts.stray + counts.malformed <= len(rows)
    for k in range(len(pdus)):
        assert 1 <= int(pdus.length[k]) <= 4095
    # What follows is read as if nothing had been.
    after = frames_of([(0x7EC, False, data) for data in segment(bytes(range(30)))])
    assert [p for _, p in heard(ears.push(after))] == [bytes(range(30))]
