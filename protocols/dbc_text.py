"""A database as DBC text, for other tools and for the DBCs in `resources/databases`.

Identifier masks, bindings and invalid raw values have no place in a DBC and are not written.
"""

from protocols.signals import Database, Message, Signal

_VALUE_TYPES = {32: 1, 64: 2}


def to_dbc(database: Database, comment: str = "") -> str:
    """The text of a DBC file that says the same about bits, scales, units and choices.

    Raises ValueError for a 16-bit floating-point signal, which a DBC cannot express.
    """
    lines = ['VERSION ""', "", "NS_ :", "", "BS_:", "", "BU_: BMS", ""]
    for message in database.messages:
        lines.append(f"BO_ {_id(message)} {message.name}: {message.length} BMS")
        lines += [_signal(message, signal) for signal in message.signals]
        lines.append("")
    if comment:
        lines.append(f"CM_ {_quoted(comment)};")
    for message in database.messages:
        lines += _comments(message)
    for message in database.messages:
        lines += _choices(message)
    for message in database.messages:
        lines += _value_types(message)
    for message in database.messages:
        lines += _multiplexers(message)
    return "\n".join(lines) + "\n"


def _id(message: Message) -> int:
    return message.id | 0x80000000 if message.extended else message.id


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'") + '"'


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _signal(message: Message, signal: Signal) -> str:
    order = 1 if signal.little_endian else 0
    sign = "-" if signal.signed or signal.is_float else "+"
    mark = f"m{signal.mux[-1].values[0]}" if signal.mux else ""
    mark += "M" if signal.is_selector else ""
    low = 0.0 if signal.minimum is None else float(signal.minimum)
    high = 0.0 if signal.maximum is None else float(signal.maximum)
    return (
        f" SG_ {signal.name} {mark + ' ' if mark else ''}: {signal.start}|{signal.length}"
        f"@{order}{sign} ({_number(float(signal.scale))},{_number(float(signal.offset))})"
        f" [{_number(low)}|{_number(high)}] {_quoted(signal.unit)} Vector__XXX"
    )


def _comments(message: Message) -> list[str]:
    lines = []
    if message.comment:
        lines.append(f"CM_ BO_ {_id(message)} {_quoted(message.comment)};")
    for signal in message.signals:
        if signal.comment:
            lines.append(f"CM_ SG_ {_id(message)} {signal.name} {_quoted(signal.comment)};")
    return lines


def _choices(message: Message) -> list[str]:
    lines = []
    for signal in message.signals:
        if signal.choices:
            pairs = " ".join(f"{raw} {_quoted(text)}" for raw, text in signal.choices.items())
            lines.append(f"VAL_ {_id(message)} {signal.name} {pairs} ;")
    return lines


def _value_types(message: Message) -> list[str]:
    lines = []
    for signal in message.signals:
        if signal.is_float:
            if signal.length not in _VALUE_TYPES:
                raise ValueError(f"{message.name}.{signal.name}: a DBC has floats of 32 or 64 bits")
            lines.append(
                f"SIG_VALTYPE_ {_id(message)} {signal.name} : {_VALUE_TYPES[signal.length]};"
            )
    return lines


def _multiplexers(message: Message) -> list[str]:
    """Extended multiplexing: where a multiplexer is itself multiplexed, or values are many."""
    selectors = [signal for signal in message.signals if signal.is_selector]
    muxed = [signal for signal in message.signals if signal.mux]
    if len(selectors) < 2 and all(len(s.mux) == 1 and len(s.mux[0].values) == 1 for s in muxed):
        return []
    lines = []
    for signal in muxed:
        condition = signal.mux[-1]
        ranges = ", ".join(f"{value}-{value}" for value in condition.values)
        lines.append(f"SG_MUL_VAL_ {_id(message)} {signal.name} {condition.selector} {ranges};")
    return lines
