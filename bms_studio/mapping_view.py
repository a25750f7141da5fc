"""What every signal of a bus means, for people: role, reason, live value, what was mended.

Shared by the live session and the replay. Reads frames and an Interpretation, changes nothing. No
Qt, no adapter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bms_studio.frame_log import FrameLog
from bms_studio.interpret import Interpretation
from bms_studio.pack.corrections import SIGN_NOTE, all_messages
from bms_studio.pack.profile import NOT_USED, Profile
from bms_studio.pack.sign import SignCheck
from protocols.decode import compile_messages, decode
from protocols.frames import Frames
from protocols.polled import decode_transfers
from protocols.roles import Binding
from protocols.signals import Database, Message, Signal

_MOST_ROLES = 3
_LOOK_BACK = 100_000  # frames: the rarest message of a bus comes every few seconds


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One signal. name: "Message.Signal"; role: text, "" none; unit: as its database writes it;
    value_unit and decimals: of the live value (canonical where there is a role, else as in the
    database); by_hand: the profile says so; why: one phrase in English."""

    name: str
    role: str
    unit: str
    value_unit: str
    decimals: int
    why: str
    by_hand: bool


@dataclass(frozen=True, slots=True)
class SignView:
    """Sign of the current. state: unverified, agrees, contradicts; wire: "+discharge" or "+charge";
    agree, against: clear steps of the current that the voltage answered as it must, or not."""

    state: str = "unverified"
    wire: str = ""
    agree: int = 0
    against: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MappingView:
    """The mapping at one moment. `rows` is the same object as long as the meaning is.

    values: float64[rows], the newest known value of each, NaN unknown. first_cell: where an index
    in the payload begins (None: there is no such index). index_note: how that is known. busy: the
    meaning is being settled or everything derived again.
    """

    title: str = ""
    confidence: float = 0.0
    runner_up: str = ""
    why: str = ""
    notes: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    rows: tuple[SignalRow, ...] = ()
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    sign: SignView = SignView()
    first_cell: int | None = None
    index_note: str = ""
    busy: bool = False


class MappingReader:
    """Makes MappingViews for one reader; what does not change is made once per meaning."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._rows: tuple[SignalRow, ...] = ()
        self._values = SignalValues((), ())

    def view(
        self,
        meaning: Interpretation | None,
        databases: Sequence[Database],
        profile: Profile,
        sign: SignCheck,
        log: FrameLog,
        t: int,
        busy: bool = False,
    ) -> MappingView:
        """The mapping with values as of t; databases: given, also where they are not in use."""
        known = meaning.databases if meaning else ()
        used = (*known, *(d for d in databases if d.name not in {k.name for k in known}))
        bindings = meaning.mapping.bindings if meaning else ()
        key = (*(id(d) for d in used), bindings, profile.mapping)
        if key != self._key:
            self._key = key
            self._rows = signal_rows_of(used, bindings, profile)
            self._values = SignalValues(used, bindings)
        repairs = tuple(f"{d.name}: {r}" if len(used) > 1 else r for d in used for r in d.repairs)
        values = self._values.at(log, t)
        if meaning is None:
            return MappingView(repairs=repairs, rows=self._rows, values=values, busy=busy)
        mapping, notes = meaning.mapping, meaning.mapping.notes
        if sign.state != "unverified":  # the steps know more than the names did
            notes = tuple(n for n in notes if not n.startswith(SIGN_NOTE))
        said = (meaning.found or mapping).notes
        why = "; ".join(part for part in meaning.why.split("; ") if part not in said)
        indexed = [b.index for b in bindings if b.index is not None]
        note = next((n for n in mapping.notes if any(i.signal in n for i in indexed)), "")
        has_current = any(b.role.field == "current" for b in bindings)
        return MappingView(
            meaning.title,
            meaning.confidence,
            meaning.runner_up,
            why,
            notes,
            repairs,
            self._rows,
            values,
            SignView(sign.state, mapping.sign, *sign.counts) if has_current else SignView(),
            indexed[0].first if indexed else None,
            note,
            busy,
        )


def signal_rows_of(
    databases: Sequence[Database], bindings: Sequence[Binding], profile: Profile
) -> tuple[SignalRow, ...]:
    """One row per signal, in the order of the databases."""
    by_name: dict[str, list[Binding]] = {}
    for binding in bindings:
        by_name.setdefault(f"{binding.message}.{binding.signal}", []).append(binding)
    given = dict(profile.mapping)
    rows = []
    for message in all_messages(databases):
        for signal in message.signals:
            name = f"{message.name}.{signal.name}"
            rows.append(_row(name, signal, by_name.get(name, ()), name in given))
    return tuple(rows)


def _row(name: str, signal: Signal, bound: Sequence[Binding], by_hand: bool) -> SignalRow:
    if not bound:
        why = "by hand: not used" if by_hand else ""
        step = signal.scale
        role = NOT_USED if by_hand else ""
        return SignalRow(
            name, role, signal.unit, signal.unit, _decimals(signal, step), why, by_hand
        )
    first = bound[0]
    role = ", ".join(str(b.role) for b in bound)
    if len(bound) > _MOST_ROLES:  # the bits of one number
        role = f"{first.role} … {bound[-1].role}"
    unit = "" if first.role.unit == "1" else first.role.unit
    decimals = _decimals(signal, signal.scale * first.factor)
    return SignalRow(name, role, signal.unit, unit, decimals, first.why, by_hand)


def _decimals(signal: Signal, step: float) -> int:
    if signal.is_float or not step:
        return 3
    return min(6, max(0, math.ceil(-math.log10(abs(step)) - 1e-9)))


class SignalValues:
    """The newest value of every signal; steps forward decode only what is new."""

    def __init__(self, databases: Sequence[Database], bindings: Sequence[Binding]) -> None:
        messages = [m for d in databases for m in d.messages]
        self._transfers = [t for d in databases for t in d.transfers]
        self._layout = compile_messages(messages) if messages else None
        listed: list[Message] = all_messages(databases)
        counts = [len(m.signals) for m in listed]
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._plain = len(messages)
        names = [f"{m.name}.{s.name}" for m in listed for s in m.signals]
        self._change = _changes(names, bindings)
        self._raw = np.full(len(names), np.nan)
        self._done = 0

    def at(self, log: FrameLog, t: int) -> NDArray[np.float64]:
        """float64[signals] as of t; NaN where a signal has not been seen lately."""
        end = log.index_at(t)
        if end < self._done:
            self._raw[:], self._done = np.nan, 0
        first = max(self._done, end - _LOOK_BACK, log.first_row)
        frames = log.rows(first, end - first)
        self._done = end
        if len(frames):
            self._take(frames)
        factor, shift, low, high = self._change
        values: NDArray[np.float64] = self._raw * factor + shift
        with np.errstate(invalid="ignore"):
            values[(values < low) | (values > high)] = np.nan
        return values

    def _take(self, frames: Frames) -> None:
        parts = []
        if self._layout is not None:
            parts.append((decode(frames, self._layout), 0))
        if self._transfers:
            parts.append((decode_transfers(frames, self._transfers), self._plain))
        for samples, before in parts:
            groups = np.repeat(np.arange(len(samples.start) - 1), np.diff(samples.start))
            # In order of time inside a group: the last one assigned is the newest.
            self._raw[self._first[groups + before] + samples.index] = samples.value


def _changes(
    names: Sequence[str], bindings: Sequence[Binding]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """factor, shift, low and high of every signal: of its binding, else none at all."""
    bound = {f"{b.message}.{b.signal}": b for b in reversed(bindings)}
    table = np.tile([1.0, 0.0, -np.inf, np.inf], (len(names), 1))
    for row, name in enumerate(names):
        if (b := bound.get(name)) is not None and b.bit < 0:
            table[row] = b.factor, b.shift, *b.valid
    return table[:, 0], table[:, 1], table[:, 2], table[:, 3]
