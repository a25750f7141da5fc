"""Tidy ticks and number texts for axes, and a y range that does not jitter. No Qt, no painting."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * SECOND_NS
_HOUR_NS = 60 * _MINUTE_NS
_DAY_NS = 24 * _HOUR_NS
_LONG_STEPS_NS = tuple(
    [n * SECOND_NS for n in (1, 2, 5, 10, 15, 30)]
    + [n * _MINUTE_NS for n in (1, 2, 5, 10, 15, 30)]
    + [n * _HOUR_NS for n in (1, 2, 3, 6, 12)]
    + [n * _DAY_NS for n in (1, 2, 7, 14, 30, 90, 180, 365)]
)
MINUS = "\u2212"
DASH = "\u2013"  # what stands for an unknown value


class TimeMode(Enum):
    """What a time axis counts from: now, the start of the data, or midnight of the wall clock."""

    RELATIVE = "relative"
    ELAPSED = "elapsed"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Ticks:
    """Positions in the axis' unit, rising; `decimals` that tell neighbours apart."""

    values: tuple[float, ...]
    step: float
    decimals: int


def tidy_step(span: float, most: int) -> float:
    """The smallest 1, 2 or 5 times a power of ten that cuts `span` into at most `most` steps."""
    if not (span > 0 and math.isfinite(span)):
        return 1.0
    raw = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    return 10 * power


def decimals_for(step: float) -> int:
    """Digits after the point that a multiple of `step` needs, 0…9."""
    return min(max(-math.floor(math.log10(step) + 1e-9), 0), 9)


def tidy_ticks(low: float, high: float, most: int) -> Ticks:
    """Ticks at multiples of a tidy step within low…high, at most `most` + 1 of them."""
    step = tidy_step(high - low, most)
    first = math.ceil(low / step - 1e-6)
    last = math.floor(high / step + 1e-6)
    values = tuple(k * step for k in range(first, last + 1))
    return Ticks(values, step, decimals_for(step))


def format_value(value: float, decimals: int) -> str:
    """`value` with a true minus sign; a dash when unknown; no "−0"."""
    if not math.isfinite(value):
        return DASH
    text = f"{value:.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if float(text) == 0 else MINUS + text[1:]
    return text


def format_span(ns: int) -> str:
    """A length of time in few characters: "4.20 ms", "12.5 s", "3:20 min", "2:05:00 h"."""
    seconds = ns / SECOND_NS
    if seconds < 1:
        return f"{seconds * 1e3:.2f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d} h"


def format_elapsed(ns: int, step_ns: int = SECOND_NS) -> str:
    """Time since a start as mm:ss or h:mm:ss, with as many decimals as `step_ns` needs."""
    sign = MINUS if ns < 0 else ""
    places = _places(step_ns)
    unit = 10 ** (9 - places)
    ticks = (abs(ns) + unit // 2) // unit
    whole, part = divmod(ticks, 10**places)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"
    return sign + text + (f".{part:0{places}d}" if places else "")


def format_clock(ns: int, step_ns: int = SECOND_NS) -> str:
    """Wall time of the reader's zone: HH:MM:SS and decimals, or day and month for steps of days."""
    moment = datetime.fromtimestamp(ns // SECOND_NS)
    if step_ns >= _DAY_NS:
        return moment.strftime("%Y-%m-%d")
    if step_ns >= _MINUTE_NS:
        return moment.strftime("%H:%M")
    places = _places(step_ns)
    part = f".{ns % SECOND_NS // 10 ** (9 - places):0{places}d}" if places else ""
    return moment.strftime("%H:%M:%S") + part


def _places(step_ns: int) -> int:
    places = 0
    while places < 9 and step_ns % 10 ** (9 - places):
        places += 1
    return places


def _relative(ns: int, step_ns: int) -> str:
    sign = MINUS if ns < 0 else "+"
    if step_ns % _HOUR_NS == 0:
        return f"{sign}{abs(ns) // _HOUR_NS} h"
    if step_ns % _MINUTE_NS == 0:
        return f"{sign}{abs(ns) // _MINUTE_NS} min"
    if step_ns < SECOND_NS // 100:
        return f"{sign}{abs(ns) / 1e6:.{max(_places(step_ns) - 3, 0)}f} ms"
    return f"{sign}{abs(ns) / SECOND_NS:.{_places(step_ns)}f} s"


def format_moment(ns: int, mode: TimeMode, origin_ns: int, step_ns: int) -> str:
    """A point in time as the axis of this mode names it; `step_ns`: what can be told apart."""
    if mode is TimeMode.CLOCK:
        return format_clock(ns, min(step_ns, SECOND_NS))
    if mode is TimeMode.ELAPSED:
        return format_elapsed(ns - origin_ns, min(step_ns, SECOND_NS))
    return _relative(ns - origin_ns, min(step_ns, SECOND_NS))


def time_step(span_ns: int, most: int) -> int:
    """Tidy distance of time ticks in ns: seconds, minutes, hours and days as people count them."""
    raw = span_ns / max(most, 1)
    if raw <= SECOND_NS / 2:
        return max(round(tidy_step(span_ns, most)), 1)
    return next((step for step in _LONG_STEPS_NS if step >= raw), _LONG_STEPS_NS[-1])


def time_ticks(
    t0_ns: int, t1_ns: int, most: int, mode: TimeMode, origin_ns: int, now_text: str = "now"
) -> tuple[tuple[int, str], ...]:
    """(time ns, text) of the ticks within t0…t1, at most about `most`.

    origin_ns: now for RELATIVE, start of the data for ELAPSED; CLOCK counts from local midnight.
    """
    step = time_step(t1_ns - t0_ns, most)
    if mode is TimeMode.CLOCK:
        origin_ns = -_utc_offset_ns(t0_ns) if step > _MINUTE_NS else 0
    first = -((origin_ns - t0_ns) // step)
    ticks = []
    for k in range(first, (t1_ns - origin_ns) // step + 1):
        offset = k * step
        if mode is TimeMode.RELATIVE:
            text = _relative(offset, step) if k else now_text
        elif mode is TimeMode.ELAPSED:
            text = format_elapsed(offset, step)
        else:
            text = format_clock(origin_ns + offset, step)
        ticks.append((origin_ns + offset, text))
    return tuple(ticks)


def _utc_offset_ns(ns: int) -> int:
    offset = datetime.fromtimestamp(ns // SECOND_NS).astimezone().utcoffset()
    return int(offset.total_seconds()) * SECOND_NS if offset else 0


class AutoRange:
    """A y range that grows at once and shrinks only after the data stayed small for a while.

    Its ends are multiples of a tidy step, so that a little noise at the edge changes nothing.
    """

    SHRINK_AFTER_S = 3.0
    SMALL = 0.5  # data filling less than this share of the range let it shrink

    def __init__(self, minimum_span: float = 0.0) -> None:
        self.minimum_span = minimum_span
        self._range: tuple[float, float] | None = None
        self._small_since_s: float | None = None

    @property
    def pending(self) -> bool:
        """Whether a coming update may shrink the range although no new data came."""
        return self._small_since_s is not None

    def reset(self) -> None:
        """Forget the past: the next update fits the data."""
        self._range = None
        self._small_since_s = None

    def update(self, low: float, high: float, now_s: float, most: int = 8) -> tuple[float, float]:
        """The range to show for data between low and high (NaN: none) at `now_s` seconds.

        most: how many steps of the grid there is room for.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            return self._range or (0.0, 1.0)
        fitting = self._fit(low, high, most)
        if self._range is None:
            self._range = fitting
        elif low < self._range[0] or high > self._range[1]:
            self._range = (min(self._range[0], fitting[0]), max(self._range[1], fitting[1]))
            self._small_since_s = None
        elif fitting[1] - fitting[0] > self.SMALL * (self._range[1] - self._range[0]):
            self._small_since_s = None
        elif self._small_since_s is None:
            self._small_since_s = now_s
        elif now_s - self._small_since_s >= self.SHRINK_AFTER_S:
            self._range, self._small_since_s = fitting, None
        return self._range

    def _fit(self, low: float, high: float, most: int) -> tuple[float, float]:
        middle = 0.5 * (low + high)
        floor = max(self.minimum_span, 1e-6 * abs(middle), 1e-9)
        if high - low < floor:
            low, high = middle - floor / 2, middle + floor / 2
        margin = 0.04 * (high - low)
        step = tidy_step(high - low + 2 * margin, max(most, 4))
        return (
            math.floor((low - margin) / step) * step,
            math.ceil((high + margin) / step) * step,
        )
