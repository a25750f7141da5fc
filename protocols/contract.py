"""What a built-in protocol hands over: its messages, what they mean, and how to recognise it.

The contract that every module named in `protocols/registry.py` fulfils and that
`tests/test_protocol_compliance.py` checks. Plain data and two small functions; no bus, no file.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocols.frames import Frames
from protocols.roles import Mapping
from protocols.signals import Database

IDENTITY_WORDS = ("maker", "model", "firmware", "hardware", "chemistry", "date of manufacture")


@dataclass(frozen=True, slots=True)
class Example:
    """One frame whose meaning is known: `expected` maps roles (as text) to canonical values.

    isotp, j1939: `data` is a whole message that this transport carries in several frames.
    """

    id: int
    extended: bool
    data: bytes
    expected: dict[str, float]
    isotp: bool = False
    j1939: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """One question to a BMS that speaks when asked: data for active mode, sent by nobody else.

    id, extended: of the frame that asks. payload: its data, or with `isotp` the message that ISO-TP
    frames carry. period_s: how often at most. answer_id: of the frames that answer.
    flow_control_id: where the permission to send the rest goes (ISO-TP only), None without.
    address, answer_address: of extended addressing, the byte before everything else in each frame
    of question and answer (ISO-TP only), None without. only_after: asked only when a frame with
    this identifier has answered another question, None always.
    """

    id: int
    extended: bool
    payload: bytes
    period_s: float
    answer_id: int
    flow_control_id: int | None = None
    isotp: bool = True
    address: int | None = None
    answer_address: int | None = None
    only_after: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well frames fit a protocol: score 0..1 and one phrase that says what was checked."""

    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol of a battery management system.

    title: for people. bitrates: bit/s, most usual first. source_confidence: one sentence about
    where the layout comes from and what has been checked against real data. required: names of
    messages without which it is not this protocol. verify: judges frames by what ids and lengths
    cannot show (checksums, fixed texts); None where there is nothing of the kind. serial: reads
    the pack's serial number from frames; None where the protocol carries none. specialise: database
    and mapping of a bus that carries several packs; gives None for an ordinary one. polls: what to
    ask, and how often, of a BMS that does not say everything by itself. identity: what the pack
    says of itself, keys of IDENTITY_WORDS; None where it says nothing. elsewhere: the same
    questions to packs that may have other addresses, one of them rarely, the rest after its answer.
    """

    name: str
    title: str
    database: Database
    mapping: Mapping
    bitrates: tuple[int, ...]
    source_confidence: str
    required: tuple[str, ...]
    examples: tuple[Example, ...]
    verify: Callable[[Frames], Evidence] | None = None
    serial: Callable[[Frames], str | None] | None = None
    specialise: Callable[[Frames], tuple[Database, Mapping] | None] | None = None
    polls: tuple[Poll, ...] = ()
    identity: Callable[[Frames], dict[str, str]] | None = None
    elsewhere: tuple[Poll, ...] = ()

    @property
    def schedule(self) -> tuple[Poll, ...]:
        """All questions; whether somebody is elsewhere is asked early."""
        look = [poll for poll in self.elsewhere if poll.only_after is None]
        rest = [poll for poll in self.elsewhere if poll.only_after is not None]
        return (*self.polls[:1], *look, *self.polls[1:], *rest)
