"""The time column of a table of samples, in any usual form, as int64 ns and what it stands on.

Numbers (seconds to nanoseconds since 1970, days of a spreadsheet, or counting from the start) or
text (dates in any order of day and month, times of day, with or without a zone). Decided once from
all rows; every decision is a note.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from recordings.fields import NO_ZONE
from recordings.log_clock import RESTART, unbroken
from recordings.tokens import BAD

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_HOUR = 3600 * _SECOND
_YEAR = 366 * _DAY
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "ms": 1_000_000,
    "msec": 1_000_000,
    "milliseconds": 1_000_000,
    "s": _SECOND,
    "sec": _SECOND,
    "seconds": _SECOND,
    "min": 60 * _SECOND,
    "minutes": 60 * _SECOND,
    "h": _HOUR,
    "hr": _HOUR,
    "hours": _HOUR,
    "d": _DAY,
    "days": _DAY,
}
_SHEET_ZERO_S = -2_209_161_600  # 30 December 1899, the day 0 of spreadsheets
_YEARS = (1970, 2200)
_ZONE = re.compile(r"(?<![a-z])(?:utc|gmt)(?![a-z])\s*(?:([+-])\s*(\d{1,2})(?::?(\d\d))?)?", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """time: int64 ns, BAD where it could not be read; reference as in a recording; notes."""

    time: NDArray[np.int64]
    reference: str
    notes: tuple[str, ...] = ()


def unit_ns(word: str, whole: int, name: str) -> tuple[int, str]:
    """(ns of one unit, "utc" or "relative" or "sheet") of a column of numbers whose first value has
    this whole part. word: the header's unit."""
    size = abs(whole)
    for least, unit in ((10**17, 1), (10**14, 1000), (10**11, 10**6), (10**8, _SECOND)):
        if size >= least:
            return unit, "utc"
    if 20_000 <= size <= 80_000 and "date" in name.lower() and not word:
        return _DAY, "sheet"
    return _UNITS.get(word.lower().strip(" ."), _SECOND), "relative"


def from_numbers(stamps: NDArray[np.int64], kind: str, zone_min: int) -> Times:
    """Times of numbers already multiplied by their unit. A count that falls starts again."""
    if kind == "utc":
        return Times(_near(stamps), "utc")
    good = stamps != BAD
    if kind == "sheet":
        wall = np.where(good, stamps + _SHEET_ZERO_S * _SECOND, BAD)
        return _zoned(
            wall, np.full(len(wall), zone_min), ("dates are a spreadsheet's day numbers",)
        )
    running = stamps.copy()
    running[good], found = unbroken(stamps[good])
    notes = ["the table has no date: time counts from its start"]
    restarts = int(np.count_nonzero(found == RESTART))
    if restarts:
        notes.append(f"time starts again {restarts} times: it goes on from the latest")
    return Times(running, "relative", tuple(notes))


def from_parts(parts: NDArray[np.int64], zone_min: int) -> Times:
    """Times of the rows of `fields.moments`. zone_min: what the header says, or NO_ZONE."""
    dated = parts[:, 0] >= 0
    of_day = np.where(parts[:, 4] == BAD, 0, parts[:, 4])
    if not dated.any():
        return _times_of_day(parts[:, 4])
    year, month, day, note = _ordered(parts, dated)
    midnight = _midnights(year, month, day)
    wall = np.where(dated & (midnight != BAD), midnight + of_day, BAD)
    zones = np.where(parts[:, 5] == NO_ZONE, zone_min, parts[:, 5])
    return _zoned(wall, zones, (note,) if note else ())


def refined(times: Times, elapsed: NDArray[np.int64]) -> Times:
    """Dates of whole seconds with the finer steps of a counter beside them, where both go together
    over the whole table; else the dates as they are."""
    both = (times.time != BAD) & (elapsed != BAD)
    if both.sum() < 2 or not both.all() or np.any(times.time % _SECOND):
        return times
    moment = times.time - times.time[0]
    counted = elapsed - elapsed[0]
    fine = np.any(elapsed % _SECOND) and not np.any(np.diff(counted) < 0)
    if not fine or np.abs(counted - moment).max() > 2 * _SECOND + moment[-1] // 1000:
        return times
    note = "steps of time by the counter beside the dates, which have whole seconds"
    return Times(times.time[0] + counted, times.reference, (*times.notes, note))


def _times_of_day(of_day: NDArray[np.int64]) -> Times:
    good = of_day != BAD
    running = of_day.copy()
    running[good], _ = unbroken(of_day[good], _DAY)
    return Times(running, "relative", ("times of day without a date: time counts from midnight",))


def _ordered(
    parts: NDArray[np.int64], dated: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], str]:
    """Year, month, day out of three parts in writing order, and what had to be assumed."""
    one, two, three = (parts[:, k] for k in range(3))
    year_first = dated & (parts[:, 3] % 100 >= 4)
    if year_first.sum() * 2 > dated.sum():
        return one, two % 100, three, ""
    year = np.where(three < 100, three + 2000, three)
    if (one[dated] > 100).any():
        return year, one % 100, two, ""
    if (two[dated] > 100).any() or (one[dated] > 12).any():
        return year, two % 100, one, ""
    if (two[dated] > 12).any():
        return year, one, two, ""
    if (parts[dated, 3] >= 100).all():
        return year, two, one, ""  # 4.5.2017 is nowhere the fifth of April
    return _by_order(year, one, two, dated)


def _by_order(
    year: NDArray[np.int64],
    one: NDArray[np.int64],
    two: NDArray[np.int64],
    dated: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], str]:
    """Neither part is beyond 12: the order in which the days pass with the fewest leaps."""

    def leaps(month: NDArray[np.int64], day: NDArray[np.int64]) -> int:
        days = _midnights(year[dated], month[dated], day[dated]) // _DAY
        step = np.diff(days)
        return int(np.count_nonzero((step < 0) | (step > 20)))

    day_first, month_first = leaps(two, one), leaps(one, two)
    if day_first < month_first:
        return year, two, one, "dates read as day before month: so they pass without leaps"
    if month_first < day_first:
        return year, one, two, "dates read as month before day: so they pass without leaps"
    return year, one, two, "dates read as month before day: the table does not tell"


def _midnights(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """ns since 1970 of each day's beginning, BAD for what is no day."""
    fine = (year >= _YEARS[0]) & (year < _YEARS[1]) & (month >= 1) & (month <= 12)
    fine &= (day >= 1) & (day <= 31)
    months = np.where(fine, (year - 1970) * 12 + month - 1, 0)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days = first + np.where(fine, day, 1) - 1
    return np.where(fine & (days < after), days * _DAY, BAD)


def _zoned(wall: NDArray[np.int64], zone_min: NDArray[np.int64], notes: tuple[str, ...]) -> Times:
    """Wall time brought to UTC by the zones given, else by this computer's."""
    wall = _near(wall)
    good = wall != BAD
    known = zone_min != NO_ZONE
    time = np.where(good & known, wall - zone_min * 60 * _SECOND, wall)
    local = good & ~known
    if not local.any():
        return Times(time, "utc", notes)
    hours, which = np.unique(wall[local] // _HOUR, return_inverse=True)
    shifts = np.array([_offset_ns(int(hour)) for hour in hours], np.int64)
    time[local] = wall[local] - shifts[which]
    return Times(
        time, "local-assumed", (*notes, "times without a zone: that of this computer is assumed")
    )


def _near(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """BAD instead of stamps more than ten years from the middle one: those are damaged."""
    good = time != BAD
    if not good.any():
        return time
    middle = np.sort(time[good])[int(good.sum()) // 2]
    return np.where(good & (np.abs(time - middle) < 10 * _YEAR), time, BAD)


def _offset_ns(hour: int) -> int:
    """What this computer's zone is ahead of UTC at a wall time of so many hours since 1970."""
    wall = datetime(1970, 1, 1) + timedelta(hours=hour)
    try:
        ahead = wall.astimezone().utcoffset() or timedelta()
    except (ValueError, OverflowError, OSError):
        ahead = timedelta()
    return int(ahead.total_seconds()) * _SECOND


def zone_of(header: str) -> int:
    """Minutes east of Greenwich that a header names (`Time (UTC+8)`), or NO_ZONE."""
    match = _ZONE.search(header)
    if not match:
        return NO_ZONE
    minutes = int(match[2] or 0) * 60 + int(match[3] or 0)
    return -minutes if match[1] == "-" else minutes
