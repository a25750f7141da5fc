"""The layout of a recording, format_version 1: every group, dataset, type, unit and long name.

docs/recording-format.md says the same in words. Plain data only: nothing here opens a file.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from protocols.roles import LOCATION_FIELDS, PACK_FIELDS
from recordings.analysis_layout import CELL_NUMBERS, OF_PACK, OUTLOOK, PER_CELL

FORMAT = "bms-studio"
FORMAT_VERSION = 1
UNKNOWN_UINT8 = 255
TEXT = "text"
SOURCES = ("live", "import", "simulated")
TIME_REFERENCES = ("utc", "local-assumed", "relative")
WHOLE_GROUPS = ("/cells", "/balancing", "/temperatures", "/pack", "/location")


@dataclass(frozen=True, slots=True)
class Column:
    """One dataset of a channel group.

    dtype: NumPy name, or TEXT (variable-length UTF-8). wide: (rows, N) instead of (rows,).
    unknown: what stands where no value is known.
    """

    name: str
    dtype: str
    unit: str
    long_name: str
    wide: bool = False
    unknown: float = 0


def _number(name: str, unit: str, long_name: str, wide: bool = False) -> Column:
    return Column(name, "float32", unit, long_name, wide, float("nan"))


def _time(name: str, long_name: str) -> Column:
    return Column(name, "int64", "ns", long_name)


def _text(name: str, long_name: str) -> Column:
    return Column(name, TEXT, "", long_name)


TIME = _time("time", "Nanoseconds since 1970-01-01T00:00:00 UTC")

_FRAMES = (
    TIME,
    Column("id", "uint32", "", "CAN identifier without flag bits"),
    Column(
        "flags",
        "uint8",
        "",
        "1 extended, 2 FD, 4 bit-rate switch, 8 remote, 16 error, 32 transmitted",
    ),
    Column("channel", "uint8", "", "Number of the channel in the attribute names"),
    Column("length", "uint8", "byte", "Payload bytes"),
    Column("data", "uint8", "", "Payload, zero beyond length", True),
)
_CELLS = (
    TIME,
    _number("voltage", "V", "Cell voltage", True),
    _number("age_s", "s", "End of the scan minus arrival of this cell", True),
)
_BALANCING = (
    TIME,
    Column("active", "uint8", "1", "Balancing: 0 off, 1 on, 255 unknown", True, UNKNOWN_UINT8),
)
_TEMPERATURES = (TIME, _number("value", "degC", "Temperature of each probe", True))
_PACK = (TIME, *(_number(f.name, f.unit, f.long_name) for f in PACK_FIELDS))
_LOCATION = (
    TIME,
    *(
        Column(
            f.name,
            # A float32 degree is a metre coarse: positions need float64.
            "float64" if f.name in ("latitude", "longitude", "odometer") else "float32",
            f.unit,
            f.long_name,
            unknown=float("nan"),
        )
        for f in LOCATION_FIELDS
    ),
)
_EVENTS = (TIME, _text("kind", "Kind of event"), _text("text", "What happened, in words"))


def _with_sigma(
    entries: tuple[tuple[str, str, bool, str], ...], wide: bool, before: str = ""
) -> Iterator[Column]:
    for name, unit, has_sigma, long_name in entries:
        yield _number(before + name, unit, long_name, wide)
        if has_sigma:
            sigma = f"Standard deviation of {before}{name}"
            yield _number(f"{before}{name}_sigma", unit, sigma, wide)


_ESTIMATES = (
    TIME,
    *_with_sigma(PER_CELL[:1], wide=True),
    *_with_sigma(OUTLOOK, wide=False),
    *(Column(name, "uint16", "", long_name) for name, long_name in CELL_NUMBERS),
)
_HEALTH = (
    TIME,
    _time("start", "First sample that counts for this evaluation"),
    *_with_sigma(PER_CELL, wide=True),
    *_with_sigma(OF_PACK, wide=False, before="pack_"),
    _text("needs", "What would make a quantity known, JSON object of codes"),
    _text("progress", "How much of the data needed is there, JSON object 0 to 1"),
)
_FINDINGS = (
    _text("id", "Identity of the finding; the newest row of an id wins"),
    _time("time", "When this row was written"),
    _time("start", "Start of the evidence"),
    _time("end", "End of the evidence"),
    Column("cell", "uint16", "", "Cell number, 0 = pack"),
    _text("kind", "Kind of finding"),
    _text("severity", "info, watch, warn or stop"),
    _text("state", "pending, active, acknowledged or resolved"),
    _number("score", "1", "How strongly the evidence supports it, 0 to 1"),
    _text("code", "Code of the sentence"),
    _text("parameters", "Parameters of the sentence, JSON"),
    _text("text", "The sentence in English"),
    _text("evidence", "Evidence, JSON"),
    Column("count", "uint32", "1", "How often it was seen"),
)

GROUPS: dict[str, tuple[Column, ...]] = {
    "/frames": _FRAMES,
    "/cells": _CELLS,
    "/balancing": _BALANCING,
    "/temperatures": _TEMPERATURES,
    "/pack": _PACK,
    "/location": _LOCATION,
    "/events": _EVENTS,
    "/estimates": _ESTIMATES,
    "/health": _HEALTH,
    "/findings": _FINDINGS,
}
SPARSE = ("/pack", "/location")
"""Groups in which a column that never holds a value is not written."""

_PLACE = re.compile(
    r"(?:/packs/(?P<pack>[2-9]|[1-9]\d+)(?=/))?(?:/analyses/(?P<analysis>\d+)(?=/))?(?P<kind>/\w+)"
)
_SIGNALS = re.compile(r"(?:/packs/\d+)?/signals/[^/]+")


def kind_of(path: str) -> str:
    """The group of GROUPS whose columns `path` has: "/packs/2/cells" is of the kind "/cells".

    "/signals/<message>" has free columns and is of the kind "/signals". ValueError for a path
    that the layout does not know.
    """
    if _SIGNALS.fullmatch(path):
        return "/signals"
    match = _PLACE.fullmatch(path)
    kind = match["kind"] if match else ""
    if match is None or kind not in GROUPS or (match["pack"] and kind in ("/frames", "/events")):
        raise ValueError(f"a recording has no group {path}")
    return kind


def columns_of(path: str) -> dict[str, Column]:
    """The columns that the group `path` may have, by name; empty for "/signals/<message>"."""
    kind = kind_of(path)
    return {} if kind == "/signals" else {column.name: column for column in GROUPS[kind]}


def _new_uuid() -> str:
    return str(uuid.uuid4())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class RecordingAttributes:
    """The root attributes of a recording.

    source: one of SOURCES; time_reference: one of TIME_REFERENCES; created: ISO 8601 UTC;
    source_names, source_sha256: one entry per file it was made from; profile: TOML text;
    databases: (name, DBC text) pairs; protocol_confidence: 0..1, NaN unknown; dropped: frames lost
    per stage; frames_sha256 is filled in by the writer (see `recordings.digest`); receipt: what the
    import said, JSON of `bms_studio.receipt`, "" where there was none.
    """

    source: str
    time_reference: str = "utc"
    title: str = ""
    software: str = ""
    source_names: tuple[str, ...] = ()
    source_sha256: tuple[str, ...] = ()
    profile: str = ""
    databases: tuple[tuple[str, str], ...] = ()
    protocol: str = ""
    protocol_confidence: float = float("nan")
    protocol_runner_up: str = ""
    dropped: Mapping[str, int] = field(default_factory=dict)
    uuid: str = field(default_factory=_new_uuid)
    created: str = field(default_factory=_now)
    frames_sha256: str = ""
    receipt: str = ""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"source must be one of {', '.join(SOURCES)}, not '{self.source}'")
        if self.time_reference not in TIME_REFERENCES:
            known = ", ".join(TIME_REFERENCES)
            raise ValueError(f"time_reference must be one of {known}, not '{self.time_reference}'")
