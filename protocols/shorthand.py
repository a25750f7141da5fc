"""Short ways to write down the layout of a built-in protocol: fields at bytes, flags, bindings.

What most modules named in `protocols/registry.py` would otherwise each spell out. Only the words of
`signals.py` and `roles.py` in fewer letters: no identifiers, no scale of any protocol stands here.
"""

from collections.abc import Sequence

from protocols.roles import Binding, Index, Role
from protocols.signals import MuxCondition, Signal

# A cell input that is not wired reports 0 V or all bits set: unknown, not a dead cell.
CELL_V = (0.2, 5.5)
PROBE_DEGC = (-60.0, 200.0)
NO_YES = {0: "no", 1: "yes"}
# Two-bit alarms of several Chinese protocols.
LEVELS = {0: "none", 1: "warning", 2: "alarm", 3: "alarm"}


def little(
    name: str,
    byte: int,
    length: int = 16,
    scale: float = 1.0,
    unit: str = "",
    *,
    offset: float = 0.0,
    signed: bool = False,
    invalid: tuple[int, ...] = (),
    mux: tuple[MuxCondition, ...] = (),
    comment: str = "",
) -> Signal:
    """A little-endian number whose lowest byte is `byte`; length in bits."""
    return Signal(
        name,
        8 * byte,
        length,
        signed=signed,
        scale=scale,
        offset=offset,
        unit=unit,
        invalid=invalid,
        mux=mux,
        comment=comment,
    )


def big(
    name: str,
    byte: int,
    length: int = 16,
    scale: float = 1.0,
    unit: str = "",
    *,
    bit: int = 7,
    offset: float = 0.0,
    signed: bool = False,
    invalid: tuple[int, ...] = (),
    mux: tuple[MuxCondition, ...] = (),
    comment: str = "",
) -> Signal:
    """A big-endian number whose highest bit is `bit` (7 the highest) of `byte`; length in bits."""
    return Signal(
        name,
        8 * byte + bit,
        length,
        little_endian=False,
        signed=signed,
        scale=scale,
        offset=offset,
        unit=unit,
        invalid=invalid,
        mux=mux,
        comment=comment,
    )


def flag(name: str, byte: int, bit: int, mux: tuple[MuxCondition, ...] = ()) -> Signal:
    """One bit, 0 the lowest of the byte, that reads "no" or "yes"."""
    return Signal(name, 8 * byte + bit, 1, minimum=0, maximum=1, choices=NO_YES, mux=mux)


def flags(byte: int, names: Sequence[str]) -> tuple[Signal, ...]:
    """Named bits from the lowest of `byte` on; an empty name is a bit without meaning."""
    return tuple(flag(name, byte + k // 8, k % 8) for k, name in enumerate(names) if name)


def levels(byte: int, names: Sequence[str], choices: dict[int, str] | None = None) -> list[Signal]:
    """Two-bit alarms from the lowest bits of `byte` on; an empty name has no meaning."""
    words = LEVELS if choices is None else choices
    return [
        Signal(name, 8 * byte + 2 * k, 2, choices=words) for k, name in enumerate(names) if name
    ]


def letters(name: str, byte: int, count: int) -> tuple[Signal, ...]:
    """ASCII text, a signal per character."""
    return tuple(
        Signal(f"{name}_{k + 1}", 8 * (byte + k), 8, comment="ASCII") for k in range(count)
    )


# message, signal, field of the pack, factor
Field = tuple[str, str, str, float]


def pack_bindings(why: str, listed: Sequence[Field], pack: int = 1) -> list[Binding]:
    """Scalars of a pack."""
    return [
        Binding(message, signal, Role("pack", field=name, pack=pack), factor, why=why)
        for message, signal, name, factor in listed
    ]


def cell(message: str, signal: str, number: int, why: str, pack: int = 1) -> Binding:
    """A cell with a place of its own."""
    return Binding(message, signal, Role("cell", number, pack=pack), valid=CELL_V, why=why)


def probe(message: str, signal: str, number: int, why: str, pack: int = 1) -> Binding:
    """A temperature probe with a place of its own."""
    return Binding(message, signal, Role("probe", number, pack=pack), valid=PROBE_DEGC, why=why)


def counted(
    message: str, signals: Sequence[str], kind: str, index: Index, why: str, pack: int = 1
) -> list[Binding]:
    """Several values behind one number in the payload: the first is `index`, the others follow."""
    valid = {"cell": CELL_V, "probe": PROBE_DEGC}.get(kind, (0.0, 1.0))
    return [
        Binding(
            message,
            signal,
            Role(kind, pack=pack),
            valid=valid,
            index=Index(index.signal, index.first, index.stride, index.position + k),
            why=why,
        )
        for k, signal in enumerate(signals)
    ]
