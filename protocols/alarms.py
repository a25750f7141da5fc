"""What a BMS warns of, as it changes: frames in, "Cell voltage high begins" and "ends" out.

An alarm that flickers is one alarm: it ends only when it has been away for a second. State lives
between blocks, and the result does not depend on how the stream is cut. Which signals are alarms
stands in the mapping (`protocols/alarm_words.py`); plain frames only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protocols.decode import compile_messages, decode
from protocols.frames import Frames
from protocols.roles import Alarm, Mapping
from protocols.signals import Database, Message, Signal

QUIET_NS = 1_000_000_000
# Beyond this many changes of one signal in a block only the last ones are told: a counter that was
# taken for an alarm must not fill a recording with words.
MOST_CHANGES = 64


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """An alarm began or ended. text: English, of what; severity: "warning" or "alarm"."""

    time: int
    text: str
    severity: str
    stands: bool
    pack: int = 1

    def __str__(self) -> str:
        word = "BMS warning" if self.severity == "warning" else "BMS alarm"
        where = f" in pack {self.pack}" if self.pack > 1 else ""
        return f"{word}{where}: {self.text}" if self.stands else f"{word}{where} over: {self.text}"


class AlarmReader:
    """Alarms of a mapping; `push` blocks of frames in order."""

    def __init__(self, databases: Sequence[Database], mapping: Mapping) -> None:
        """Alarms of messages that no database has are passed over."""
        wanted: dict[str, list[Alarm]] = {}
        for alarm in mapping.alarms:
            wanted.setdefault(alarm.message, []).append(alarm)
        messages = [m for d in databases for m in d.messages if m.name in wanted]
        self._listed: list[dict[int, list[_Group]]] = []
        reduced = []
        for message in messages:
            part = _only(message, {a.signal for a in wanted[message.name]})
            places = {signal.name: n for n, signal in enumerate(part.signals)}
            groups: dict[int, list[_Group]] = {}
            for alarm in wanted[message.name]:
                if alarm.signal in places:
                    signal = part.signals[places[alarm.signal]]
                    groups.setdefault(places[alarm.signal], []).append(_Group(alarm, signal))
            self._listed.append(groups)
            reduced.append(part)
        self._layout = compile_messages(reduced) if reduced else None

    def push(self, frames: Frames) -> list[AlarmChange]:
        """What began or ended in these frames, in order of time."""
        if self._layout is None or not len(frames):
            return []
        samples = decode(frames, self._layout)
        changes: list[AlarmChange] = []
        for number, groups in enumerate(self._listed):
            time, index, value = samples.group(number)
            for place, listed in groups.items():
                mine = index == place
                for group in listed:
                    changes += group.push(time[mine], value[mine])
        return sorted(changes, key=lambda change: change.time)

    def standing(self) -> tuple[str, ...]:
        """The texts of all alarms that stand now."""
        return tuple(
            state
            for groups in self._listed
            for listed in groups.values()
            for group in listed
            for state in group.standing()
        )


class _Group:
    """One alarm with its raised values."""

    def __init__(self, alarm: Alarm, signal: Signal) -> None:
        self._alarm = alarm
        self._scale, self._offset = signal.scale or 1.0, signal.offset
        self._known = np.array([raw for raw, _ in alarm.raised], np.int64)
        self._words = dict(alarm.raised)
        self._standing = 0  # the raw value + 1 that stands, 0 none
        self._well_since = 0

    def standing(self) -> tuple[str, ...]:
        return (self._text(self._standing - 1),) if self._standing else ()

    def push(self, time: NDArray[np.int64], value: NDArray[np.float64]) -> list[AlarmChange]:
        if not len(time):
            return []
        raw = np.rint((value - self._offset) / self._scale).astype(np.int64)
        if self._alarm.bit >= 0:
            raw = (raw >> self._alarm.bit) & 1
        state = np.where(np.isin(raw, self._known), raw + 1, 0)
        edges = np.flatnonzero(np.diff(state)) + 1
        if len(edges) > MOST_CHANGES:
            edges = edges[-MOST_CHANGES:]
        changes: list[AlarmChange] = []
        for at in [0, *edges.tolist()]:
            changes += self._becomes(int(time[at]), int(state[at]))
        changes += self._ended(int(time[-1]))
        return changes

    def _becomes(self, time: int, state: int) -> list[AlarmChange]:
        changes = self._ended(time)
        if state and state != self._standing:
            if self._standing:
                changes.append(self._change(time, self._standing - 1, False))
            changes.append(self._change(time, state - 1, True))
            self._standing = state
        if state:
            self._well_since = 0
        elif self._standing and not self._well_since:
            self._well_since = time
        return changes

    def _ended(self, time: int) -> list[AlarmChange]:
        """The end of an alarm that has been away long enough."""
        if not (self._well_since and time - self._well_since >= QUIET_NS):
            return []
        change = self._change(self._well_since, self._standing - 1, False)
        self._standing = self._well_since = 0
        return [change]

    def _text(self, raw: int) -> str:
        word = self._words[raw]
        return f"{self._alarm.text} {word}" if word else self._alarm.text

    def _change(self, time: int, raw: int, stands: bool) -> AlarmChange:
        severity = "warning" if raw in self._alarm.warnings else self._alarm.severity
        return AlarmChange(time, self._text(raw), severity, stands, self._alarm.pack)


def _only(message: Message, names: set[str]) -> Message:
    """The message with these signals and the multiplexers that they need."""
    signals = {signal.name: signal for signal in message.signals}
    needed: set[str] = set()
    waiting = [name for name in names if name in signals]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [c.selector for c in signals[name].mux if c.selector in signals]
    return replace(message, signals=tuple(s for s in message.signals if s.name in needed))
