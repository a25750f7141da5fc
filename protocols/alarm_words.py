"""Which signals of a BMS are alarms, and what they say: from names and choices to `Alarm`.

Flags of built-in protocols are named so that the name without underscores is the text. Databases of
strangers are looked through more strictly: a bit is an alarm only if its name says both that it is
one and that it is about a battery. No frame is looked at here (see `protocols/alarms.py`).
"""

import re
from collections.abc import Iterable, Sequence

from protocols.names import message_words, take_apart
from protocols.roles import Alarm
from protocols.signals import Database, Message, Signal

# Two bits each, as SMA, Victron and SimpBMS list them in 0x35A; 1 stands, 2 is well.
HOME_STORAGE_ITEMS = (
    "General",
    "Voltage_High",
    "Voltage_Low",
    "Temperature_High",
    "Temperature_Low",
    "Charge_Temperature_High",
    "Charge_Temperature_Low",
    "Discharge_Current_High",
    "Charge_Current_High",
    "Contactor",
    "Short_Circuit",
    "BMS_Internal",
    "Cell_Imbalance",
)
HOME_STORAGE_STATES = {0: "not supported", 1: "active", 2: "ok", 3: "not supported"}

# Words of choices that mean the alarm stands; those with text add it to the name.
_STANDS = {
    "active": "",
    "yes": "",
    "abnormal": "",
    "alarm": "",
    "warning": "",
    "high": "high",
    "low": "low",
}
_WELL = re.compile(
    r"(?i)^(?:no|not|none|ok|okay|normal|inactive|off|false|clear(?:ed)?|healthy|good|valid|idle"
    r"|undefined|reserved|unknown|init\w*|sna)\b|\bno (?:fault|error|warning|alarm)|\bok\b"
)
_FAULT_WORDS = ("fault", "warning")
_ABOUT = (
    "cell",
    "pack",
    "bms",
    "hv",
    "module",
    "temperature",
    "voltage",
    "current",
    "soc",
    "balancing",
)
_NOT_NOW = (
    "history",
    "count",
    "id",
    "threshold",
    "command",
    "time",
    "checksum",
    "first",
    "machine",
)
_MOST_CHOICES = 256
_STARTS = re.compile(r"(?i)^(alarms?|warnings?|faults?|errors?)[ _]+")


def home_storage_items(prefix: str, byte: int) -> tuple[Signal, ...]:
    """The thirteen items of 0x35A from `byte` on."""
    return tuple(
        Signal(f"{prefix}_{name}", 8 * byte + 2 * k, 2, choices=HOME_STORAGE_STATES)
        for k, name in enumerate(HOME_STORAGE_ITEMS)
    )


def flagged(
    messages: Iterable[Message], names: Sequence[str], pack: int = 1, suffix: str = ""
) -> tuple[Alarm, ...]:
    """An alarm for every flag or level with choices in the messages of these names (a suffix of
    several packs left out of `names`)."""
    wanted = {f"{name}{suffix}" for name in names}
    return tuple(
        alarm
        for message in messages
        if message.name in wanted
        for signal in message.signals
        if signal.length <= 2 and not signal.name.endswith("_Balancing")
        if (alarm := _by_choices(message, signal, pack)) is not None
    )


def bitmap(
    message: str, signal: str, names: Sequence[str], severity: str = "alarm"
) -> tuple[Alarm, ...]:
    """Bits of one number from the lowest on; an empty name is a bit without meaning."""
    return tuple(
        Alarm(message, signal, words(name), severity=severity, bit=k)
        for k, name in enumerate(names)
        if name
    )


def words(name: str) -> str:
    """ "Warning_Cell_Voltage_High" as "Cell voltage high"."""
    plain = _STARTS.sub("", name).replace("_", " ").strip()
    parts = [p if p.isupper() else p.lower() for p in plain.split()]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def _by_choices(message: Message, signal: Signal, pack: int) -> Alarm | None:
    raised = tuple(
        (raw, _STANDS[choice]) for raw, choice in signal.choices.items() if choice in _STANDS
    )
    if not raised:
        return None
    warnings = tuple(raw for raw, choice in signal.choices.items() if choice == "warning")
    severity = "warning" if signal.name.startswith("Warning_") else "alarm"
    return Alarm(
        message.name, signal.name, words(signal.name), raised, severity, warnings, pack=pack
    )


def alarms_of(databases: Sequence[Database]) -> tuple[Alarm, ...]:
    """The alarms of databases whose makers we do not know."""
    found = []
    for database in databases:
        for message in database.messages:
            context = message_words(message)
            for signal in message.signals:
                name = take_apart(signal.name)
                if not name.has(*_FAULT_WORDS) or name.has(*_NOT_NOW) or signal.is_selector:
                    continue
                if context.has("machine", "history") or signal.signed or signal.is_float:
                    continue
                if not (name.has(*_ABOUT) or context.has("pack", "bms", "cell")):
                    continue
                raised = _stranger_raised(signal)
                if raised:
                    severity = "warning" if "warn" in signal.name.lower() else "alarm"
                    found.append(Alarm(message.name, signal.name, signal.name, raised, severity))
    return tuple(found)


def _stranger_raised(signal: Signal) -> tuple[tuple[int, str], ...]:
    """Raw values that mean trouble; nothing where that cannot be told."""
    if not signal.choices:
        return ((1, ""),) if signal.length == 1 else ()
    if len(signal.choices) > _MOST_CHOICES:
        return ()
    bad = {raw: text for raw, text in signal.choices.items() if not _WELL.search(text.strip())}
    if len(bad) == len(signal.choices) and 0 in bad:
        return ()  # 0 must be well, or the choices are not about trouble
    if signal.length == 1:
        return tuple((raw, "") for raw in bad)
    return tuple((raw, text) for raw, text in sorted(bad.items()))
