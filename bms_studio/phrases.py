"""English phrases of the inner rooms in the reader's language: reasons, notes, repairs, alarms.

Rooms below the window write one English phrase with its numbers in it; recordings and profiles keep
it so. Here it is recognised by its template and said again. A phrase that fits none stays English.
No Qt.
"""

import re
from functools import cache, lru_cache

from bms_studio.language import language, text
from bms_studio.reader_phrases import READER_TEMPLATES

# English with the numbers and names left open.
TEMPLATES = (
    # how a role was found
    "name says {what}",
    "{name} counts as {what}",
    "number from {name}",
    "number from {name} and {other}",
    "number from {name} and its place",
    "bit {bit} of {name}",
    "unit {unit}",
    "no unit given",
    "no unit",
    "range fits 1/{number}",
    "by hand",
    "by hand: not used",
    "unit {unit} is not {wanted}: taken as it is",
    "turned",
    "counts from {first} by the profile",
    "{name} protocol",
    "not seen yet",
    "agrees with the cells within {number} mV",
    "agrees with the sum of {cells} cells",
    "fits {cells} cells",
    "of which {cells} were seen",
    "of which {cells} were seen so far",
    "its values are impossible",
    "falls below zero",
    "but the database declares it unsigned",
    "it is always 0",
    "fewer than cells seen",
    "{voltage} V, but {cells} cells make {sum} V",
    "{voltage} V, but the cells say {other} V",
    # what detection says
    "{seen} of {all} messages of {name} seen",
    "{cells} cells of {low} to {high} V",
    "their sum is the pack voltage",
    "its cells must be asked for",
    "it has not told its cells",
    "{right} of {checked} {things} fit",
    "{right} of {checked} checksums right",
    "{right} of {checked} cell frames count right",
    "{things} from the built-in protocol {name}",
    "{name} fits badly ({number}): the built-in protocol {protocol} is used",
    "nothing of {name} is on this bus: the built-in protocol {protocol} is used",
    # notes of a mapping
    "sign of current unverified: taken as + = discharge",
    "{things} from {name}; {others} could be another source",
    "{name} is taken to count from {first}: unverified without frames",
    "{name} is taken to count from {first}: unverified, no whole round was heard",
    "{things} of modules were heard, but not yet often enough to know how many each has",
    "{things} of modules: how many each has is learned from frames",
    "{count} values count only while a flag like {name} says so",
    "flags like {name} never say that a value is valid: not used",
    "{name} counts from {first}, as seen on the bus",
    "{message} does not fit its layout in the database ({reasons}): those were left out, and "
    "another source was preferred where there is one",
    "names and units only: no frames were looked at",
    "no frame of the databases' battery messages is on this bus",
    "the cell voltages are not credible: check unit and scale",
    "bits of {name} are taken as cells, the lowest first",
    "profile [mapping]: no database has a signal {name}",
    "cell frames count from {first}, as seen",
    "current counts up while charging, as seen",
    "one pack per controller: {numbers}",
    "{name} layout",
    "the pack names its maker: {name}",
    "the pack names its model: {name}",
    "the pack names its firmware: {name}",
    "the pack names its hardware: {name}",
    "the pack names its chemistry: {name}",
    "the pack names its date of manufacture: {name}",
    # what was mended in a database
    "header {name} added",
    "{name} lines for signals that do not exist left out",
    "identifiers above 0x7FF marked as 29-bit",
    "signal names that do not begin with a letter mended: {old} is now {new}",
    "message names that do not begin with a letter mended: {old} is now {new}",
    "names that occur twice in a message numbered: {places}",
    "signals beyond the length of their message kept: {places}",
    "signals that share bits kept: {places}",
    "container frames left out, whose parts lie anywhere in them: {places}",
    "{name} left out: a signal of {bits} bits is no number",
    "{name} left out: its scale is no number",
    "{name} left out: it has no place",
    "{name} left out: beyond {bytes} bytes",
    # events
    "BMS alarm: {alarm}",
    "BMS warning: {alarm}",
    "BMS alarm over: {alarm}",
    "BMS warning over: {alarm}",
    "BMS alarm in pack {pack}: {alarm}",
    "BMS warning in pack {pack}: {alarm}",
    "BMS alarm in pack {pack} over: {alarm}",
    "BMS warning in pack {pack} over: {alarm}",
    *READER_TEMPLATES,
)
# What a parameter may say, where it is words of ours and not a name or a number.
NOUNS = (
    "cells", "temperature probes", "balancing flags", "checksums", "answers", "cell voltages",
    "cell numbers and voltages", "groups and cell voltages", "modules and cell voltages",
    "parts and cell voltages", "units and cell voltages", "voltages in two messages",
    "voltages and shares", "cell voltages and states of charge", "group numbers",
    "wishes and states of a charging battery", "none",
    "probe", "balancing", "voltage", "current", "soc", "soh", "charge current limit",
    "discharge current limit", "charge voltage limit", "discharge voltage limit",
    "cell voltage min", "cell voltage max", "temperature min", "temperature max", "remaining ah",
    "full ah", "cycles", "charging", "fault", "cell count",
)  # fmt: skip
NUMBERED = ("cell {number}", "probe {number}", "balancing of cell {number}")
_WORDS = {"what", "things", "alarm"}
_REPEATED = re.compile(r"(.*) \((\d+) x\)")


def retell(sentence: str) -> str:
    """The sentence in the current language; parts that are not known stay as they are."""
    return sentence if language() == "en" or not sentence else _retold(sentence, language())


@lru_cache(maxsize=4096)
def _retold(sentence: str, code: str) -> str:
    parts = _split(sentence, "; ")
    if len(parts) > 1:
        whole = _phrase(sentence, "; ")
        return whole or text("; ").join(_retold(part, code) for part in parts)
    parts = _split(sentence, ", ")
    known = [_phrase(part) for part in parts]
    if all(known):
        return text(", ").join(part or "" for part in known)
    if (whole := _phrase(sentence)) is not None:
        return whole
    if len(parts) > 1:
        return text(", ").join(
            new or _retold(old, code) for old, new in zip(parts, known, strict=True)
        )
    head, colon, rest = sentence.partition(": ")  # "pack.dbc: header added"
    if colon and (told := _phrase(rest)) is not None:
        return f"{head}: {told}"
    return sentence


def _split(sentence: str, mark: str) -> list[str]:
    """Parts between marks that stand outside brackets."""
    parts, depth = [""], 0
    for piece in re.split(rf"({re.escape(mark)}|[()])", sentence):
        if piece == mark and not depth:
            parts.append("")
            continue
        depth += (piece == "(") - (piece == ")")
        parts[-1] += piece
    return parts


def _phrase(sentence: str, having: str = "") -> str | None:
    """A sentence that one template (of those having a mark) knows; None for any other."""
    if match := _REPEATED.fullmatch(sentence):
        known = _phrase(match[1])
        return None if known is None else text("{what} ({count} x)", what=known, count=match[2])
    for template, pattern in _patterns():
        if having in template and (match := pattern.fullmatch(sentence)):
            given = match.groupdict()
            ours = ", ".join(given[key] for key in ("what", "things") if key in given)
            if ours and any(_noun(part) is None for part in ours.split(", ")):
                continue
            return text(template, **{k: _value(k, v) for k, v in given.items()})
    return None


def _value(key: str, value: str) -> str:
    if key == "reasons":
        return text("; ").join(_reason(part) for part in value.split("; "))
    if key not in _WORDS:
        return value
    known = [_noun(part) or text(part) for part in value.split(", ")]
    return text(", ").join(known)


def _reason(part: str) -> str:
    name, colon, rest = part.partition(": ")
    return f"{name}: {_retold(rest, language())}" if colon else part


def _noun(words: str) -> str | None:
    if words in NOUNS:
        return text(words)
    for template in NUMBERED:
        pattern = _compiled(template)
        if match := pattern.fullmatch(words):
            return text(template, **match.groupdict())
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Templates with most fixed words first: "{name} protocol" fits much."""
    ordered = sorted(TEMPLATES, key=lambda t: -len(re.sub(r"\{\w+\}", "", t)))
    return tuple((template, _compiled(template)) for template in ordered)


@cache
def _compiled(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    fixed, names = parts[::2], parts[1::2]
    pattern = re.escape(fixed[0])
    for name, after in zip(names, fixed[1:], strict=True):
        pattern += f"(?P<{name}>.+?)" + re.escape(after)
    return re.compile(pattern, re.DOTALL)
