"""A recording as pandas DataFrames: what `bms_studio.open` returns.

Wide tables with a UTC nanosecond DatetimeIndex; cells and probes are columns numbered from 1;
units stand in `df.attrs`. Every access reads the file anew, and nothing is kept open between.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protocols.dbc import parse_database
from protocols.frames import EXTENDED, Frames, concatenate, empty_frames
from protocols.registry import available, load
from recordings.analysis_frames import AnalysisFrames, PerCell
from recordings.frame_tables import narrow, time_index, wide
from recordings.layout import RecordingAttributes
from recordings.reader import Recording

if TYPE_CHECKING:
    from protocols.signals import Database, Message


class CellFrames:
    """The cells of one pack: `voltage` (V) and `age_s` (scan end minus arrival, s)."""

    def __init__(self, recording: Recording, group: str) -> None:
        self._recording, self._group = recording, group

    @property
    def voltage(self) -> pd.DataFrame:
        """(scans, cells) float32; NaN where a cell was not seen in a scan."""
        return wide(self._recording, self._group, "voltage", "cell")

    @property
    def age_s(self) -> pd.DataFrame:
        """(scans, cells) float32, seconds from the cell's arrival to the end of its scan."""
        return wide(self._recording, self._group, "age_s", "cell")


class PackFrames:
    """One pack of a recording; number 1 is the root."""

    def __init__(self, recording: Recording, number: int) -> None:
        self._recording = recording
        self._number = number
        self._prefix = "" if number == 1 else f"/packs/{number}"

    @property
    def cells(self) -> CellFrames:
        """Cell voltages and their ages."""
        return CellFrames(self._recording, f"{self._prefix}/cells")

    @property
    def temperatures(self) -> pd.DataFrame:
        """(rows, probes) float32 degC."""
        return wide(self._recording, f"{self._prefix}/temperatures", "value", "probe")

    @property
    def balancing(self) -> pd.DataFrame:
        """(rows, cells) float32: 0 off, 1 on, NaN unknown."""
        return wide(self._recording, f"{self._prefix}/balancing", "active", "cell")

    @property
    def pack(self) -> pd.DataFrame:
        """Voltage, current (+ = discharge), soc (0..1) … as the BMS reports them."""
        return narrow(self._recording, f"{self._prefix}/pack")

    @property
    def location(self) -> pd.DataFrame:
        """Latitude, longitude, speed … where known."""
        return narrow(self._recording, f"{self._prefix}/location")

    @property
    def estimates(self) -> PerCell:
        """The newest analysis: `.soc`, `.soc_sigma` (rows, cells), `.pack`. Empty without one."""
        return PerCell(self._recording, f"{self._prefix}/estimates")

    @property
    def health(self) -> PerCell:
        """The newest analysis: one row per evaluation; `.resistance_ohm`, `.pack` …"""
        return PerCell(self._recording, f"{self._prefix}/health")

    @property
    def findings(self) -> pd.DataFrame:
        """The newest analysis: every transition of a finding; the newest row of an id wins."""
        return narrow(self._recording, f"{self._prefix}/findings")

    @property
    def analyses(self) -> dict[int, AnalysisFrames]:
        """All analyses that are kept, by number."""
        numbers = self._recording.analyses(self._number)
        return {n: AnalysisFrames(self._recording, n, self._number) for n in numbers}


class SignalFrames(Mapping[str, pd.DataFrame]):
    """Every message of the recording's databases by name, decoded from the frames on demand."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._messages: dict[str, Message] | None = None

    def __getitem__(self, name: str) -> pd.DataFrame:
        stored = f"/signals/{name}"
        if not self._recording.rows("/frames") and self._recording.rows(stored):
            return narrow(self._recording, stored)
        return decode_message(self._recording, self._known()[name])

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self._known())
        for path in self._recording.groups():
            if path.startswith("/signals/"):
                names[path.removeprefix("/signals/")] = None
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _known(self) -> "dict[str, Message]":
        if self._messages is None:
            self._messages = {}
            for database in databases_of(self._recording.attributes):
                for message in database.messages:
                    self._messages.setdefault(message.name, message)
        return self._messages


class RecordingFrames(PackFrames):
    """The recording at `path` as DataFrames. Raises UnreadableRecording when it is none."""

    def __init__(self, path: "str | Path") -> None:
        self.recording = Recording(path)
        super().__init__(self.recording, 1)

    @property
    def attributes(self) -> RecordingAttributes:
        """The root attributes."""
        return self.recording.attributes

    @property
    def packs(self) -> dict[int, PackFrames]:
        """All packs by number, from 1."""
        return {number: PackFrames(self.recording, number) for number in self.recording.packs()}

    @property
    def events(self) -> pd.DataFrame:
        """kind and text by time."""
        return narrow(self.recording, "/events")

    @property
    def frames(self) -> pd.DataFrame:
        """id, flags, channel, length and data (bytes without padding) of every frame."""
        blocks = list(self.recording.frames())
        frames = concatenate(blocks) if blocks else empty_frames()
        stride = frames.width
        packed = frames.data.tobytes()
        starts = range(0, len(packed), stride)
        lengths = frames.length.tolist()
        data = [packed[at : at + n] for at, n in zip(starts, lengths, strict=True)]
        columns = {
            "id": frames.id,
            "flags": frames.flags,
            "channel": frames.channel,
            "length": frames.length,
            "data": np.array(data, object) if data else np.empty(0, object),
        }
        table = pd.DataFrame(columns, time_index(frames.time))
        table.attrs["units"] = dict.fromkeys(columns, "") | {"length": "byte"}
        table.attrs["channels"] = self.recording.labels("/frames")
        return table

    @property
    def signals(self) -> SignalFrames:
        """`rec.signals["Message"]`: one column per signal, in the units of its database."""
        return SignalFrames(self.recording)


def databases_of(attributes: RecordingAttributes) -> "tuple[Database, ...]":
    """The databases stored in the recording, else the built-in protocol's own."""
    if attributes.databases:
        return tuple(parse_database(name, text) for name, text in attributes.databases)
    if attributes.protocol in available():
        return (load(attributes.protocol).database,)
    return ()


def decode_message(recording: Recording, message: "Message") -> pd.DataFrame:
    """The frames of one message as a table of its signals (float64; NaN where not present)."""
    from protocols.decode import compile_messages, decode  # loads numba: only when needed

    layout = compile_messages([message])
    times: list[NDArray[np.int64]] = []
    tables: list[NDArray[np.float64]] = []
    for block in recording.frames():
        mine = (block.id & message.id_mask) == message.id
        mine &= ((block.flags & EXTENDED) != 0) == message.extended
        frames = block[mine]
        if not len(frames):
            continue
        # Rows take the place of time: two frames may have the same time, but never the same row.
        rows = np.arange(len(frames), dtype=np.int64)
        numbered = Frames(rows, frames.id, frames.flags, frames.channel, frames.length, frames.data)
        row, index, value = decode(numbered, layout).group(0)
        table = np.full((len(frames), len(message.signals)), np.nan)
        table[row, index] = value
        present = ~np.isnan(table).all(axis=1)
        times.append(frames.time[present])
        tables.append(table[present])
    time = np.concatenate(times) if times else np.empty(0, np.int64)
    values: NDArray[Any] = np.concatenate(tables) if tables else np.empty((0, len(message.signals)))
    result = pd.DataFrame(values, time_index(time), [s.name for s in message.signals])
    result.attrs["units"] = {s.name: s.unit for s in message.signals}
    result.attrs["choices"] = {s.name: dict(s.choices) for s in message.signals if s.choices}
    return result
