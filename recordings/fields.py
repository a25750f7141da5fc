"""Fields of tables, compiled: numbers in any usual writing, and the parts of dates and times.

Works on the lines that `recordings.tokens.split` made. What a date's parts mean (day or month
first) is decided by `recordings.sample_time`, which has seen all of them.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recordings.tokens import BAD, Lines

NO_ZONE = 10_000
PARTS = 6
"""Columns of `moments`: three date parts in writing order (-1: none; above 100: a month's name);
digits of the first one (100 more where points part them); ns since midnight (BAD: no time of day);
minutes east of Greenwich (NO_ZONE: not said)."""

_TEN = 10.0 ** np.arange(23)
_MONTHS = np.frombuffer(b"janfebmaraprmayjunjulaugsepoctnovdec", np.uint8).reshape(12, 3)
_SECOND = 1_000_000_000


def numbers(lines: Lines, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
    """The fields at `places` (from 0) of every line as (N, len(places)), and how many were neither
    empty nor a number (NaN, as the empty ones). The last of `.` and `,` is the decimal mark."""
    found = np.full((len(lines), len(places)), np.nan)
    odd = _numbers(
        lines.text,
        lines.start,
        lines.stop,
        lines.first,
        lines.count,
        places.astype(np.int64),
        found,
    )
    return found, int(odd)


def moments(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.int64]:
    """Dates and times as (N, PARTS); see PARTS. All of a row is BAD where it cannot be read."""
    parts = np.full((len(word), PARTS), BAD, np.int64)
    _moments(lines.text, lines.start, lines.stop, word, parts)
    return parts


@njit(nogil=True, cache=True)
def _number(text: NDArray[np.uint8], at: int, stop: int) -> float:
    negative = at < stop and text[at] == 45
    if at < stop and (text[at] == 45 or text[at] == 43):
        at += 1
    mantissa, digits, fraction, marks, power = np.int64(0), 0, 0, 0, 0
    while at < stop:
        char = text[at]
        if 48 <= char <= 57:
            if mantissa < 900_000_000_000_000_000:
                mantissa = mantissa * 10 + (np.int64(char) - 48)
                fraction += 1 if marks else 0
            elif not marks:
                power += 1
            digits += 1
        elif char == 46 or char == 44:
            marks += 1
            fraction = 0  # an earlier mark parted thousands
        elif (char | 32) == 101 and digits:
            at += 1
            minus = at < stop and text[at] == 45
            if at < stop and (text[at] == 45 or text[at] == 43):
                at += 1
            exponent, first = 0, at
            while at < stop and 48 <= text[at] <= 57 and exponent < 1000:
                exponent = exponent * 10 + (int(text[at]) - 48)
                at += 1
            if at < stop or at == first:
                return np.nan
            power += -exponent if minus else exponent
            break
        else:
            return np.nan
        at += 1
    if digits == 0:
        return np.nan
    power -= fraction
    value = float(mantissa)
    if abs(power) > 330:
        value = 0.0 if power < 0 else np.nan
    while power < 0:
        step = min(-power, 22)
        value /= _TEN[step]
        power += step
    while power > 0:
        step = min(power, 22)
        value *= _TEN[step]
        power -= step
    return -value if negative else value


@njit(nogil=True, cache=True)
def _numbers(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    places: NDArray[np.int64],
    found: NDArray[np.float64],
) -> int:
    odd = 0
    for row in range(len(first)):
        for k in range(len(places)):
            if places[k] >= count[row]:
                continue
            word = first[row] + places[k]
            at, last = start[word], stop[word]
            if last > at and text[last - 1] == 37:
                last -= 1  # 52.3 %
                while last > at and text[last - 1] == 32:
                    last -= 1
            if last > at:
                found[row, k] = _number(text, at, last)
                odd += 1 if np.isnan(found[row, k]) else 0
    return odd


@njit(nogil=True, cache=True)
def _month(text: NDArray[np.uint8], at: int, stop: int) -> int:
    """1..12 for a month's name at `at`, else 0."""
    if stop - at < 3:
        return 0
    for k in range(12):
        same = True
        for j in range(3):
            same = same and (text[at + j] | 32) == _MONTHS[k, j]
        if same:
            return k + 1
    return 0


@njit(nogil=True, cache=True)
def _moments(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    word: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> None:
    clock = np.zeros(4, np.int64)
    date = np.zeros(3, np.int64)
    for row in range(len(word)):
        if word[row] < 0:
            continue
        at, last = start[word[row]], stop[word[row]]
        dates, clocks, width, half = 0, 0, 0, 0
        zone = np.int64(NO_ZONE)
        clock[:], date[:] = 0, -1
        good = last > at
        while at < last and good:
            char = text[at]
            if 48 <= char <= 57:
                first = at
                value = np.int64(0)
                while at < last and 48 <= text[at] <= 57 and at - first < 18:
                    value = value * 10 + (np.int64(text[at]) - 48)
                    at += 1
                digits = at - first
                before = text[first - 1] if first > start[word[row]] else 0
                signed = clocks > 0 and (before == 43 or before == 45)
                if signed:
                    minutes = value // 100 * 60 + value % 100 if digits > 2 else value * 60
                    if at + 2 < last and text[at] == 58 and digits == 2:
                        minutes += (np.int64(text[at + 1]) - 48) * 10 + np.int64(text[at + 2]) - 48
                        at += 3
                    zone = -minutes if before == 45 else minutes
                    good = abs(zone) <= 15 * 60
                elif clocks == 0 and dates == 0 and digits >= 8 and (at == last or digits <= 14):
                    good = digits == 8 or digits == 14 or digits == 12
                    rest = digits - 8
                    whole = value // 10**rest
                    date[0], date[1], date[2] = whole // 10000, whole // 100 % 100, whole % 100
                    dates, width = 3, 4
                    if rest:
                        tail = value % 10**rest * (100 if rest == 4 else 1)
                        clock[0], clock[1], clock[2] = tail // 10000, tail // 100 % 100, tail % 100
                        clocks = 3
                elif dates == 3 and clocks == 0 and digits == 6:
                    clock[0], clock[1], clock[2] = value // 10000, value // 100 % 100, value % 100
                    clocks = 3
                elif (at < last and text[at] == 58) or (before == 58 and clocks > 0) or dates == 3:
                    # ":" joins a clock; behind it a fraction, or (some cyclers) milliseconds
                    if clocks < 3:
                        clock[clocks] = value
                        clocks += 1
                    elif clocks == 3 and (before == 46 or before == 44 or before == 58):
                        for _ in range(9 - digits):
                            value *= 10
                        for _ in range(digits - 9):
                            value //= 10
                        clock[3], clocks = value, 4
                    else:
                        good = False
                elif clocks == 3 and (before == 46 or before == 44):
                    for _ in range(9 - digits):
                        value *= 10
                    for _ in range(digits - 9):
                        value //= 10
                    clock[3], clocks = value, 4
                elif dates < 3:
                    width = digits if dates == 0 else width
                    date[dates] = value
                    dates += 1
                else:
                    good = False
            elif (char | 32) >= 97 and (char | 32) <= 122:
                month = _month(text, at, last)
                small = char | 32
                paired = at + 1 < last and (text[at + 1] | 32) == 109
                if month and dates < 3:
                    width = 0 if dates == 0 else width
                    date[dates] = month + 100  # a name: surely the month
                    dates += 1
                elif (small == 97 or small == 112) and paired and clocks > 0:
                    half = 1 if small == 97 else 2
                elif small == 122 or small == 103 or small == 117:
                    zone = np.int64(0) if clocks > 0 else zone  # Z, GMT, UTC
                elif small != 116 and not month:
                    good = dates == 0 and clocks == 0  # a weekday in front
                while at < last and (text[at] | 32) >= 97 and (text[at] | 32) <= 122:
                    at += 1
            elif char < 32 or char == 95 or char > 126:
                good = False
            else:
                if char == 46 and dates == 1 and clocks == 0:
                    width += 100
                at += 1
        if half and clocks > 0:
            clock[0] = clock[0] % 12 + (12 if half == 2 else 0)
        good = good and (dates == 3 or (dates == 0 and clocks >= 2))
        if not good or clock[1] > 59 or clock[2] > 60 or clock[0] > (24 if dates == 3 else 99_999):
            continue
        for k in range(3):
            parts[row, k] = date[k]
        parts[row, 3] = width
        of_day = ((clock[0] * 60 + clock[1]) * 60 + clock[2]) * _SECOND + clock[3]
        parts[row, 4] = of_day if clocks > 0 else BAD
        parts[row, 5] = zone
