"""The words of a CAN database: signal, message, database. Plain data, however it was obtained.

A DBC, a built-in protocol and the simulator describe bits with the same three dataclasses. Bit
positions follow the DBC convention of Vector (see docs/adding-a-protocol.md).
"""

from dataclasses import dataclass, field

# `id_mask` of J1939: who says what to whom, whatever the priority.
ANY_PRIORITY = 0x03FFFFFF


@dataclass(frozen=True, slots=True)
class MuxCondition:
    """The signal is there only while `selector`, of the same message, has one of `values`."""

    selector: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """One quantity in a message: physical = raw * scale + offset, in `unit`.

    start: DBC start bit: for little endian the least significant bit; for big endian (Motorola)
    the most significant bit, numbered 8 * byte + bit with bit 7 the byte's highest.
    mux: all conditions must hold (extended multiplexing has several). invalid: raw values that
    mean "unknown" and become NaN.
    """

    name: str
    start: int
    length: int
    little_endian: bool = True
    signed: bool = False
    is_float: bool = False
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    is_selector: bool = False
    mux: tuple[MuxCondition, ...] = ()
    choices: dict[int, str] = field(default_factory=dict)
    invalid: tuple[int, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A frame's layout. A frame matches when `frame_id & id_mask == id` and `extended` agrees.

    Masks serve protocols that put an address into the identifier (VESC: the low byte).
    """

    name: str
    id: int
    length: int
    signals: tuple[Signal, ...]
    extended: bool = False
    id_mask: int = 0x1FFFFFFF
    comment: str = ""

    def signal(self, name: str) -> Signal:
        """The signal called `name`; KeyError if there is none."""
        for signal in self.signals:
            if signal.name == name:
                return signal
        raise KeyError(f"message {self.name} has no signal {name}")


@dataclass(frozen=True, slots=True)
class Transfer:
    """A message longer than a frame, carried by a transport: mostly what is said only when asked.

    message: its id is that of the answering frames (ISO-TP), or the one that it would have as a
    single frame (J1939); its bits count in the reassembled bytes, prefix included. prefix: the
    bytes that it begins with (service and identifier), empty where its id or multiplexers tell it
    apart. exact: an answer of another length than `message.length` has another layout and is not
    read. address: the byte that stands before everything else in each frame (extended addressing),
    None without. transport: "isotp" or "j1939". request_id: where the question goes (ISO-TP),
    which ends an answer that was under way; None unknown.
    """

    message: Message
    prefix: bytes
    exact: bool = False
    address: int | None = None
    transport: str = "isotp"
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """Messages of one file or built-in protocol. `repairs`: what had to be mended to load it.

    transfers: what is said only to who asks; names differ from those of `messages`.
    """

    name: str
    messages: tuple[Message, ...]
    text: str = ""
    repairs: tuple[str, ...] = ()
    transfers: tuple[Transfer, ...] = ()

    @property
    def all_messages(self) -> tuple[Message, ...]:
        """Messages of frames, then those that a transport carries."""
        return (*self.messages, *(transfer.message for transfer in self.transfers))

    def message(self, name: str) -> Message:
        """The message called `name`; KeyError if there is none."""
        for message in self.messages:
            if message.name == name:
                return message
        raise KeyError(f"database {self.name} has no message {name}")
