"""The receipt of an import: what was read and left out, what it means, what would unlock more.

Plain data, kept as JSON in the recording and rendered as text in the reader's language, to be sent
back to whoever sent the file. No Qt, no files; a receipt from a stranger's recording is checked.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from bms_studio.language import text
from bms_studio.phrases import retell

MOST_TEXT = 1 << 20
SHOWN_NOTES = 40
Words = tuple[str, Mapping[str, str | int | float]]

# What would unlock more; parameters in braces.
UNLOCKS: dict[str, str] = {
    "database": "A database (DBC, KCD, SYM or ARXML) of this bus: none of its {ids} ids is known",
    "database_for": "A database for the ids {ids}: {percent:.0f} % of the frames have no meaning",
    "asked": "A log that another tester asks the pack in: this BMS answers only when it is asked",
    "sign": (
        "The current's sign is unverified: include a clear load change (some amperes up and down), "
        "or state it in a profile"
    ),
    "sign_contradicts": (
        "The current's sign contradicts the voltage in {against} of {steps} load changes: turn it "
        "in 'What the signals mean', or state it in a profile"
    ),
    "current": "The pack's current: without it neither resistance nor capacity can be judged",
    "cells": "The cell voltages: there are none, only the pack as a whole can be judged",
    "temperature": "Temperatures: there are none",
    "chemistry": "The chemistry and the rated capacity, in a profile: limits depend on them",
    "date": "A log with dates: time here counts from its own start",
    "zone": "The time zone: that of this computer ({zone}) was assumed",
    "longer": "A longer log: {minutes:.1f} minutes show little of rest, load and charge",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was read. rows: frames, or rows of samples; bad_lines: numbers of the first
    ones, from 1; damaged, backwards, restarts: stamps repaired (`recordings.log_clock`)."""

    name: str
    sha256: str
    size: int
    format: str
    rows: int
    lines: int
    time_reference: str
    bad: int = 0
    bad_lines: tuple[int, ...] = ()
    skipped: int = 0
    backwards: int = 0
    damaged: int = 0
    restarts: int = 0
    implausible: int = 0
    truncated: str = ""
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the frames or columns were taken for. sign: on the wire; sign_state as `SignCheck`;
    steps_for, steps_against: load changes that agree and contradict. protocol "": none found."""

    protocol: str = ""
    title: str = ""
    confidence: float = 0.0
    runner_up: str = ""
    signals: int = 0
    cells: int = 0
    probes: int = 0
    current: bool = False
    sign: str = ""
    sign_state: str = "unverified"
    steps_for: int = 0
    steps_against: int = 0
    notes: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """zone: assumed where the logs state none, "" where they do. gaps: (start ns, seconds), the
    longest ones. unknown: (id as text, frames) without a meaning, the most frequent. merged: rules
    applied to several files. unlock: codes of UNLOCKS with their parameters."""

    sources: tuple[Source, ...]
    software: str
    time_reference: str
    zone: str = ""
    start_ns: int = 0
    end_ns: int = 0
    frames: int = 0
    gap_count: int = 0
    gap_seconds: float = 0.0
    gaps: tuple[tuple[int, float], ...] = ()
    ids: int = 0
    unknown_ids: int = 0
    unknown_frames: int = 0
    unknown: tuple[tuple[str, int], ...] = ()
    meaning: Meaning = field(default_factory=Meaning)
    merged: tuple[str, ...] = ()
    unlock: tuple[Words, ...] = ()


def to_json(receipt: Receipt) -> str:
    """The receipt as a recording keeps it."""
    return json.dumps(asdict(receipt), ensure_ascii=False, allow_nan=False)


def from_json(words: str) -> Receipt | None:
    """What `to_json` wrote; None for "" and for anything that is no receipt."""
    if not words or len(words) > MOST_TEXT:
        return None
    try:
        value = json.loads(words)
        sources = tuple(_made(Source, s) for s in value.pop("sources"))
        meaning = _made(Meaning, value.pop("meaning"))
        unlock = tuple((str(c), {str(k): v for k, v in p.items()}) for c, p in value.pop("unlock"))
        gaps = tuple((int(t), float(s)) for t, s in value.pop("gaps"))
        unknown = tuple((str(i), int(n)) for i, n in value.pop("unknown"))
        plain = _checked(Receipt, value)
        return Receipt(
            sources=sources, meaning=meaning, unlock=unlock, gaps=gaps, unknown=unknown, **plain
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _made(kind: Any, value: Mapping[str, Any]) -> Any:
    return kind(**_checked(kind, value))


def _checked(kind: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `kind` with their own types; what a later version added is left out."""
    types = {f.name: f.type for f in fields(kind)}
    found: dict[str, Any] = {}
    for name, entry in value.items():
        if name not in types:
            continue
        wanted = str(types[name])
        if "tuple" in wanted or wanted.startswith("Words"):
            numbers = "int" in wanted
            found[name] = tuple(int(e) if numbers else str(e) for e in entry)
        elif "str" in wanted:
            found[name] = str(entry)
        elif "bool" in wanted:
            found[name] = bool(entry)
        else:
            found[name] = float(entry) if "float" in wanted else int(entry)
    return found


# -- as text ---------------------------------------------------------------------------------------


def receipt_text(receipt: Receipt) -> str:
    """The whole receipt as plain text in the current language."""
    return "\n".join(
        f"{heading}\n" + "\n".join(f"  {line}" for line in lines)
        for heading, lines in receipt_sections(receipt)
        if lines
    )


def receipt_sections(receipt: Receipt) -> list[tuple[str, list[str]]]:
    """(heading, lines) in the current language; sections without lines are empty."""
    return [
        (text("Import receipt"), _overview(receipt)),
        *((source.name, _source(source)) for source in receipt.sources),
        (text("Meaning"), _meaning(receipt)),
        (text("What would unlock more"), [unlock_text(words) for words in receipt.unlock]),
    ]


def unlock_text(words: Words) -> str:
    """One thing that would unlock more, as a sentence."""
    code, given = words
    try:
        return text(UNLOCKS[code], **given)
    except (KeyError, ValueError, TypeError, IndexError):
        return code


def _overview(receipt: Receipt) -> list[str]:
    seconds = (receipt.end_ns - receipt.start_ns) * 1e-9
    lines = [
        text(
            "{start} to {end}, {duration}",
            start=moment(receipt.start_ns),
            end=moment(receipt.end_ns),
            duration=_duration(seconds),
        )
        if receipt.time_reference != "relative"
        else text("{duration}, without a date", duration=_duration(seconds)),
        text("Time zone assumed: {zone}", zone=receipt.zone)
        if receipt.zone
        else text("Time: {reference}", reference=_reference(receipt.time_reference)),
    ]
    if receipt.frames:
        lines.append(text("{frames:,} frames of {ids} ids", frames=receipt.frames, ids=receipt.ids))
    if receipt.gap_count:
        lines.append(
            text(
                "{count} gaps of {seconds:.1f} s in all; the longest: {list}",
                count=receipt.gap_count,
                seconds=receipt.gap_seconds,
                list=", ".join(f"{_place(receipt, t)} ({s:.1f} s)" for t, s in receipt.gaps),
            )
        )
    else:
        lines.append(text("No gaps"))
    lines += [text(rule) for rule in receipt.merged]
    lines.append(receipt.software)
    return lines


def _source(source: Source) -> list[str]:
    count = text("{rows:,} frames", rows=source.rows)
    if source.format == "samples":
        count = text("{rows:,} rows of samples", rows=source.rows)
    lines = [
        f"sha256 {source.sha256}",
        f"{source.format}, {count}, {source.size:,} B, {_reference(source.time_reference)}",
    ]
    if source.channels:
        lines.append(text("Channels: {names}", names=", ".join(source.channels)))
    if source.bad:
        lines.append(
            text(
                "{bad:,} of {lines:,} lines could not be read (lines {numbers})",
                bad=source.bad,
                lines=source.lines,
                numbers=", ".join(map(str, source.bad_lines)) + (" …" if source.bad > 20 else ""),
            )
        )
    if source.backwards:
        lines.append(
            text("{count:,} stamps that ran backwards were put in order", count=source.backwards)
        )
    if source.implausible:
        lines.append(
            text("{count:,} values that cannot be true are unknown", count=source.implausible)
        )
    if source.truncated:
        lines.append(retell(source.truncated))
    return [*lines, *(retell(note) for note in source.notes[:SHOWN_NOTES])]


def _meaning(receipt: Receipt) -> list[str]:
    meaning = receipt.meaning
    lines = []
    if not meaning.protocol:
        lines.append(
            text("No BMS data: an inverter's or a vehicle's bus, or its database is missing")
        )
    elif meaning.protocol == "samples":
        lines.append(text("Columns read by their names and units"))
    else:
        lines.append(
            text(
                "{title}, confidence {percent:.0f} %; runner-up: {other}",
                title=meaning.title,
                percent=100 * meaning.confidence,
                other=meaning.runner_up or "–",
            )
        )
    if meaning.protocol:
        lines.append(
            text(
                "{signals} signals used: {cells} cells, {probes} temperature probes",
                signals=meaning.signals,
                cells=meaning.cells,
                probes=meaning.probes,
            )
        )
    if meaning.current:
        state = {
            "agrees": text("Sign of the current: agrees with the voltage ({count} load changes)"),
            "contradicts": text("Sign of the current: contradicts the voltage ({count} times)"),
        }.get(meaning.sign_state, text("Sign of the current: unverified"))
        count = meaning.steps_for if meaning.sign_state == "agrees" else meaning.steps_against
        lines.append(state.format(count=count) + f" ({meaning.sign})" * bool(meaning.sign))
    if receipt.unknown_ids:
        names = ", ".join(f"{name} ({count:,})" for name, count in receipt.unknown)
        lines.append(
            text("{count} ids without a meaning: {names}", count=receipt.unknown_ids, names=names)
        )
    repairs = [retell(repair) for repair in meaning.repairs[:SHOWN_NOTES]]
    lines += [text("Repaired: {what}", what=repair) for repair in repairs]
    return [*lines, *(retell(note) for note in meaning.notes[:SHOWN_NOTES])]


def _reference(word: str) -> str:
    return {
        "utc": text("UTC"),
        "local-assumed": text("zone of this computer assumed"),
        "relative": text("no date"),
    }.get(word, word)


def _place(receipt: Receipt, time_ns: int) -> str:
    """When something happened: without a date it is counted from the start of the log."""
    if receipt.time_reference == "relative":
        return _duration((time_ns - receipt.start_ns) * 1e-9)
    return moment(time_ns)


def moment(time_ns: int) -> str:
    """A moment for people, UTC to the millisecond."""
    try:
        when = datetime.fromtimestamp(time_ns // 10**9, UTC)
    except (OverflowError, OSError, ValueError):
        return "–"
    return f"{when:%Y-%m-%d %H:%M:%S}.{time_ns // 10**6 % 1000:03d} UTC"


def _duration(seconds: float) -> str:
    tenths = round(10 * max(seconds, 0.0))  # first: 59.96 s are a minute, not 60.0 s
    hours, rest = divmod(tenths, 36_000)
    minutes, left = divmod(rest, 600)
    return f"{hours}:{minutes:02d}:{left / 10:04.1f}"
