"""Asking a BMS that says nothing by itself: what to send next, and when to be silent.

One question at a time, in the rhythm of the protocol's schedule (`protocols.contract.Poll`), with
the flow control that ISO-TP wants from who asks. Knows frames and instants, no adapter: the loop
sends what comes out of here, in active mode only. Answers are decoded elsewhere, from the ring,
like everything that is heard; here it only matters that they came.

Two testers on one bus spoil each other's answers. Whenever somebody else asks, we are silent and
listen until nobody has asked for `QUIET_S`. A BMS that does not answer is asked ever more rarely.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from protocols.contract import Poll
from protocols.frames import ERROR, EXTENDED, REMOTE, TRANSMITTED, Frames, empty_frames
from protocols.isotp_frames import CONSECUTIVE, FIRST, SINGLE, flow_control, segment

LISTENING, ASKING, UNANSWERED, YIELDING = "listening", "asking", "unanswered", "yielding"

LISTEN_FIRST_S = 0.5  # before the first question: is somebody else asking?
QUIET_S = 10.0  # without questions of others before we ask again
ANSWER_S = 0.5  # ISO-TP; the standard grants 50 ms and slow gateways take more
PLAIN_ANSWER_S = 0.25
PENDING_S = 5.0  # "response pending" (UDS 0x78) asks for this much patience
FRAME_S = 1.0  # N_Cr: longest pause inside a message
SETTLE_S = 0.03  # several frames may answer one plain question
GAP_S = 0.01
SEPARATION_MS = 5  # asked for between the frames of a long answer: cheap adapters lose fewer
LONGEST_WAIT_S = 60.0
MUTE = 3  # unanswered questions after which a BMS counts as mute
MUTE_WAIT_S = (0.5, 5.0)
_ECHO_S = 0.1
# Functional requests of any tester (ISO 15765-4).
_FUNCTIONAL = ((0x7DF, False), (0x18DB33F1, True))
_NEGATIVE, _PENDING = 0x7F, 0x78


@dataclass(frozen=True, slots=True)
class AskingStatus:
    """asking: "" (not asking), listening (before the first question), asking, unanswered (the BMS
    is mute), yielding (somebody else asks). Counts of questions, of those answered in time and of
    those that were not; other_id: identifier that the other tester sent, -1 none."""

    asking: str = ""
    asked: int = 0
    answered: int = 0
    unanswered: int = 0
    other_id: int = -1


@dataclass(slots=True, eq=False)
class _Turn:
    """A question of the schedule: when it is due, how often in a row nobody answered, and whether
    it ever was answered: a pack of 4 cells is silent when it is asked for 30."""

    poll: Poll
    due_s: float
    missed: int = 0
    known: bool = False


@dataclass(slots=True)
class _Open:
    """The question that waits for its answer. announced 0: no long message under way."""

    turn: _Turn
    until_s: float
    answered: bool = False
    announced: int = 0
    had: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the journal: kind, English sentence, parameters."""

    kind: str
    text: str
    parameters: dict[str, Any]


class Asker:
    """The schedule of one BMS. Times are monotonic seconds, handed in; one thread."""

    def __init__(self, polls: Sequence[Poll], now_s: float) -> None:
        """Raises ValueError for an empty schedule or a question that does not fit one frame."""
        if not polls:
            raise ValueError("There is nothing to ask: this protocol has no questions.")
        for poll in polls:
            question(poll)
        self._turns = [_Turn(poll, now_s) for poll in polls if poll.only_after is None]
        self._later = [poll for poll in polls if poll.only_after is not None]
        self._open: _Open | None = None
        self._silent_until_s = now_s + LISTEN_FIRST_S
        self._next_s = 0.0
        self._mute = 0  # questions in a row that nobody answered
        self._echoes: list[tuple[float, int, bool, bytes]] = []
        self._questions = {(poll.id, poll.extended) for poll in polls}
        if any(poll.isotp for poll in polls):
            self._questions.update(_FUNCTIONAL)
        self._own_answers = {(p.id, p.extended) for p in polls if p.id == p.answer_id}
        answers = {(poll.answer_id, poll.extended) for poll in polls}
        self._ids = np.array(sorted(i for i, _ in self._questions | answers), np.uint32)
        self._notes: list[Note] = []
        self.status = AskingStatus(LISTENING)

    def notes(self) -> list[Note]:
        """What happened since the last call, for the journal."""
        notes, self._notes = self._notes, []
        return notes

    def wait_s(self, now_s: float) -> float:
        """How long nothing is due, unless a frame comes."""
        if self._open is not None:
            return max(self._open.until_s - now_s, 0.0)
        next_s = max(self._silent_until_s, self._next_s)
        if self._mute < MUTE:
            next_s = max(next_s, min(turn.due_s for turn in self._turns))
        return max(next_s - now_s, 0.0)

    def turn(self, frames: Frames, now_s: float) -> list[Frames]:
        """What to send now, after hearing these frames."""
        out = self._hear(frames, now_s) if len(frames) else []
        opened = self._open
        if opened is not None and now_s >= opened.until_s:
            self._close(now_s)
        if self._open is None and now_s >= self._silent_until_s and now_s >= self._next_s:
            out += self._ask(now_s)
        return out

    def failed(self, reason: str, now_s: float) -> None:
        """The adapter did not send what `turn` gave: it counts as unanswered."""
        if self._open is not None:
            self._close(now_s)
            if self._mute == 1:
                self._note("asking", f"A question could not be sent: {reason}", {"sent": False})

    def reopened(self, now_s: float) -> None:
        """The adapter was opened anew: whatever was under way is lost."""
        self._open = None
        self._silent_until_s = max(self._silent_until_s, now_s + LISTEN_FIRST_S)

    def _hear(self, frames: Frames, now_s: float) -> list[Frames]:
        own = (frames.flags & (ERROR | TRANSMITTED)) == 0
        out: list[Frames] = []
        for row in np.flatnonzero(np.isin(frames.id, self._ids) & own).tolist():
            extended = bool(frames.flags[row] & EXTENDED)
            remote = bool(frames.flags[row] & REMOTE)
            key = (int(frames.id[row]), extended)
            data = frames.data[row, : int(frames.length[row])].tobytes()
            if self._asks(key, remote, data):
                if not self._echo(key, data, now_s):
                    self._yield(key[0], now_s)
            elif self._open is not None and not remote:
                out += self._answer(self._open, key, data, now_s)
        return out

    def _asks(self, key: tuple[int, bool], remote: bool, data: bytes) -> bool:
        """Whether a frame is a question. Where question and answer share an identifier, the
        question is the one without data."""
        if key in self._own_answers:
            return remote or not data
        return key in self._questions

    def _echo(self, key: tuple[int, bool], data: bytes, now_s: float) -> bool:
        """Some adapters hand back what they sent without saying so: one frame for one sent."""
        self._echoes = [e for e in self._echoes if now_s - e[0] < _ECHO_S]
        for echo in self._echoes:
            if echo[1:] == (*key, data):
                self._echoes.remove(echo)
                return True
        return False

    def _yield(self, other_id: int, now_s: float) -> None:
        self._silent_until_s = now_s + QUIET_S
        self._open = None
        if self.status.asking != YIELDING:
            text = f"Another tester asks (identifier {other_id:X}): we only listen."
            self._note("other-tester", text, {"id": other_id})
        self.status = replace(self.status, asking=YIELDING, other_id=other_id)

    def _answer(
        self, opened: _Open, key: tuple[int, bool], data: bytes, now_s: float
    ) -> list[Frames]:
        """Take a frame that may answer the open question; flow control where it wants some."""
        poll = opened.turn.poll
        if key != (poll.answer_id, poll.extended):
            return []
        if not poll.isotp:
            opened.answered, opened.until_s = True, now_s + SETTLE_S
            return []
        if poll.answer_address is not None:
            if data[:1] != bytes([poll.answer_address]):
                return []
            data = data[1:]
        if not data:
            return []
        kind = data[0] >> 4
        if kind == SINGLE:
            self._single(opened, data, now_s)
        elif kind == FIRST and len(data) >= 2:
            if not _begins(data[2:], poll):
                return []  # the answer to another question
            opened.announced = (data[0] & 15) << 8 | data[1]
            opened.had, opened.until_s = len(data) - 2, now_s + FRAME_S
            if poll.flow_control_id is not None:
                permission = flow_control(SEPARATION_MS, address=poll.address)
                return [self._frame(poll.flow_control_id, poll.extended, permission, now_s)]
        elif kind == CONSECUTIVE and opened.announced:
            opened.had, opened.until_s = opened.had + len(data) - 1, now_s + FRAME_S
            if opened.had >= opened.announced:
                opened.answered = True
                self._close(now_s)
        return []

    def _single(self, opened: _Open, data: bytes, now_s: float) -> None:
        body = data[1 : 1 + (data[0] & 15)]
        poll = opened.turn.poll
        service = poll.payload[0]
        if body[:2] == bytes([_NEGATIVE, service]):
            if body[2:3] == bytes([_PENDING]):
                opened.until_s = now_s + PENDING_S
                return
            opened.answered = True
            # It is there and does not know this: not asked again soon, and nobody is mute.
            self._close(now_s)
            opened.turn.due_s = now_s + LONGEST_WAIT_S
        elif body and _begins(body, poll):
            opened.answered = True
            self._close(now_s)

    def _close(self, now_s: float) -> None:
        """The open question is over; answered or not, the next one may follow."""
        opened, self._open = self._open, None
        if opened is None:
            return
        turn, status = opened.turn, self.status
        if opened.answered:
            if self._mute >= MUTE:  # it woke up: everything at once
                for other in self._expected():
                    other.missed, other.due_s = 0, now_s
            turn.missed, turn.known, self._mute = 0, True, 0
            self._also(turn.poll.answer_id, now_s)
            self._next_s = now_s + GAP_S
            answered = status.answered + 1
            self.status = replace(status, asking=ASKING, answered=answered, other_id=-1)
            return
        turn.missed += 1
        self._mute += turn in self._expected()
        turn.due_s = now_s + min(turn.poll.period_s * 2.0**turn.missed, LONGEST_WAIT_S)
        self.status = replace(status, unanswered=status.unanswered + 1)
        self._next_s = now_s + GAP_S
        if self._mute >= MUTE:
            low, high = MUTE_WAIT_S
            self._next_s = now_s + min(low * 2.0 ** min(self._mute - MUTE, 16), high)
            if self.status.asking != UNANSWERED:
                self.status = replace(self.status, asking=UNANSWERED)
                text = f"The BMS does not answer ({self._mute} questions): asked more rarely."
                self._note("asking", text, {"unanswered": self._mute})

    def _also(self, answer_id: int, now_s: float) -> None:
        """Questions that waited for somebody to be there."""
        self._turns += [_Turn(p, now_s) for p in self._later if p.only_after == answer_id]
        self._later = [p for p in self._later if p.only_after != answer_id]

    def _expected(self) -> list[_Turn]:
        """The questions that a BMS which is there answers: all, until one has been answered."""
        return [t for t in self._turns if t.known] or self._turns

    def _ask(self, now_s: float) -> list[Frames]:
        turn = min(self._turns, key=lambda t: t.due_s)
        if self._mute < MUTE and turn.due_s > now_s:
            return []
        if self.status.asking == YIELDING:
            text = f"Nobody else has asked for {QUIET_S:.0f} s: we ask again."
            self._note("asking", text, {"resumed": True})
        if self.status.asking in (YIELDING, LISTENING):
            self.status = replace(self.status, asking=ASKING, other_id=-1)
        poll = turn.poll
        turn.due_s = max(turn.due_s + poll.period_s, now_s + poll.period_s / 2)
        self._open = _Open(turn, now_s + (ANSWER_S if poll.isotp else PLAIN_ANSWER_S))
        self.status = replace(self.status, asked=self.status.asked + 1)
        return [self._frame(poll.id, poll.extended, question(poll), now_s)]

    def _frame(self, frame_id: int, extended: bool, data: bytes, now_s: float) -> Frames:
        self._echoes.append((now_s, frame_id, extended, data))
        frames = empty_frames(1)
        frames.id[0], frames.length[0] = frame_id, len(data)
        frames.flags[0] = EXTENDED if extended else 0
        frames.data[0, : len(data)] = np.frombuffer(data, np.uint8)
        return frames

    def _note(self, kind: str, text: str, parameters: dict[str, Any]) -> None:
        self._notes.append(Note(kind, text, parameters))


def _begins(answer: bytes, poll: Poll) -> bool:
    """Whether an answer, as far as it is there, repeats the question behind service + 0x40."""
    expected = bytes([poll.payload[0] + 0x40]) + poll.payload[1:]
    return expected.startswith(answer[: len(expected)])


def question(poll: Poll) -> bytes:
    """The data of the frame that asks. Raises ValueError where one frame does not hold them."""
    if not poll.isotp:
        if len(poll.payload) > 8:
            raise ValueError(f"The question to {poll.id:X} does not fit a frame.")
        return poll.payload
    frames = segment(poll.payload, 0, poll.address)
    if len(frames) > 1:
        raise ValueError(f"The question to {poll.id:X} does not fit a frame.")
    return frames[0]


def as_words(polls: Sequence[Poll]) -> list[dict[str, Any]]:
    """A schedule as JSON-able words, for the control socket."""
    return [asdict(poll) | {"payload": poll.payload.hex()} for poll in polls]


def from_words(words: Sequence[dict[str, Any]]) -> list[Poll]:
    """The schedule that `as_words` wrote; ValueError, KeyError or TypeError if it is none."""
    polls = [Poll(**{**word, "payload": bytes.fromhex(str(word["payload"]))}) for word in words]
    for poll in polls:
        if not poll.period_s >= 0.05:
            raise ValueError(f"{poll.id:X} would be asked every {poll.period_s} s: at least 0.05 s")
    return polls
