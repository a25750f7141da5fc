"""DBC text made fit for a strict parser: limits against hostile files, mends for usual defects.

Works on lines and keeps their number, so that a parser's complaint names the line in the file.
What real files get wrong is listed in `docs/adding-a-protocol.md`. No parsing into signals here.
"""

import re
from dataclasses import dataclass, field

from protocols.scripts import spelt

MAX_BYTES = 10_000_000
MAX_SIGNALS = 20_000
MAX_SIGNAL_BITS = 64
MAX_MESSAGE_BYTES = 1785  # a J1939 transport message; a CAN FD frame has 64
MAX_MULTIPLEX_RANGE = 65_536
MAX_MULTIPLEX_TOTAL = 1_000_000
MAX_DIGITS = 10

# Vector tools collect signals that belong to no message under this name.
UNUSED = "VECTOR__INDEPENDENT_SIG_MSG"

_MESSAGE = re.compile(r"^(\s*BO_\s+)(\d+)(\s+)([^\s:]+)(\s*:\s*)(\d+)(.*)$")
_SIGNAL = re.compile(r"^(\s*SG_\s+)([^:\"]*?)(\s*:\s*)(\d+)\|(\d+)(@.*)$")
_REFERENCE = re.compile(
    r"^(\s*(?:VAL_|SIG_VALTYPE_|SG_MUL_VAL_|BO_TX_BU_|SIG_GROUP_|CM_\s+(?:SG_|BO_)"
    r"|BA_\s+\"[^\"]*\"\s+(?:SG_|BO_))\s+)(\d+)(\s+)(\S+)?(.*)$"
)
_MULTIPLEXER = re.compile(r"^(?:M|m\d+M?)$")
_RANGE = re.compile(r"(\d+)\s*-\s*(\d+)")
_NAME = re.compile(r"^[A-Za-z_]\w*$", re.ASCII)


class DatabaseError(ValueError):
    """A database that cannot be used; the text names the file, the line and the remedy."""


@dataclass(slots=True)
class _State:
    """What has been seen so far, and what was mended."""

    name: str
    signals: int = 0
    ranges: int = 0
    message: int = -1
    known: dict[int, set[str]] = field(default_factory=dict)
    renamed: dict[tuple[int, str], str] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    unused: bool = False  # inside the message of signals that belong to none

    def rename(self, kind: str, old: str, new: str) -> None:
        """Count a name that was changed; the first is the example."""
        examples = self.examples.setdefault(kind, f"{old} is now {new}")
        self.mend(f"{kind} names that do not begin with a letter mended: {examples}")

    def mend(self, what: str) -> None:
        """Count a repair."""
        self.repairs[what] = self.repairs.get(what, 0) + 1


def repair(name: str, text: str) -> tuple[str, tuple[str, ...]]:
    """The mended text and what was mended. Raises DatabaseError for sizes beyond the limits."""
    state = _State(name)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    mended = [_definition(state, line, number) for number, line in enumerate(lines, 1)]
    mended = [_reference(state, line, number) for number, line in enumerate(mended, 1)]
    _add_header(state, mended)
    notes = tuple(f"{what} ({n} x)" if n > 1 else what for what, n in state.repairs.items())
    return "\n".join(mended), notes


def _refuse(state: _State, number: int, what: str) -> DatabaseError:
    return DatabaseError(f"{state.name}, line {number}: {what}; the file is damaged or not a DBC")


def _number(state: _State, digits: str, line: int) -> int:
    if len(digits) > MAX_DIGITS:
        raise _refuse(state, line, f"a number of {len(digits)} digits")
    return int(digits)


def _definition(state: _State, line: str, number: int) -> str:
    """A BO_ or SG_ line, checked and mended; other lines as they are."""
    if match := _MESSAGE.match(line):
        raw = _number(state, match[2], number)
        size = _number(state, match[6], number)
        if size > MAX_MESSAGE_BYTES:
            raise _refuse(state, number, f"a message of {size} bytes")
        state.message = raw
        state.unused = match[4] == UNUSED
        state.known.setdefault(raw, set())
        frame_id = _extended(state, raw)
        name = _clean(state, match[4], "message")
        return f"{match[1]}{frame_id}{match[3]}{name}{match[5]}{match[6]}{match[7]}"
    if match := _SIGNAL.match(line):
        return _signal(state, line, match, number)
    return line


def _signal(state: _State, line: str, match: re.Match[str], number: int) -> str:
    state.signals += 1
    if state.signals > MAX_SIGNALS:
        raise _refuse(state, number, f"more than {MAX_SIGNALS} signals")
    start, length = _number(state, match[4], number), _number(state, match[5], number)
    words = match[2].split()
    multiplexer = words.pop() if len(words) > 1 and _MULTIPLEXER.match(words[-1]) else ""
    if len(re.sub(r"\D", "", multiplexer)) > MAX_DIGITS:
        raise _refuse(state, number, "a multiplexer value beyond all bounds")
    old = "_".join(words)
    if start >= 8 * MAX_MESSAGE_BYTES or length > 8 * MAX_MESSAGE_BYTES:
        raise _refuse(state, number, f"a signal of {length} bits at bit {start}")
    if not 1 <= length <= MAX_SIGNAL_BITS:
        state.mend(f"{old} left out: a signal of {length} bits is no number")
        return ""
    new = _clean(state, old, "signal")
    if not state.unused:
        state.known.setdefault(state.message, set()).add(new)
    if new != old:
        state.renamed[state.message, old] = new
    return f"{match[1]}{new} {multiplexer}{match[3]}{match[4]}|{match[5]}{match[6]}"


def _clean(state: _State, name: str, kind: str) -> str:
    """A name that is an identifier; letters of other scripts come back after parsing."""
    if _NAME.match(name):
        return name
    if name.isidentifier():
        return spelt(name)
    new = re.sub(r"\W", "_", name, flags=re.ASCII)
    new = new if _NAME.match(new) else f"_{new}"
    state.rename(kind, name, new)
    return new


def _extended(state: _State, raw: int) -> int:
    """A 29-bit identifier has bit 31 set in a DBC; many hand-made files forget it."""
    if not 0x800 <= raw <= 0x1FFFFFFF:
        return raw
    state.mend("identifiers above 0x7FF marked as 29-bit")
    return raw | 0x80000000


def _reference(state: _State, line: str, number: int) -> str:
    """A line that refers to a message or signal, with the same renaming; dropped if it has none."""
    if line.lstrip().startswith("SG_MUL_VAL_"):
        _check_ranges(state, line, number)
    match = _REFERENCE.match(line)
    if not match:
        return line
    raw = _number(state, match[2], number)
    name = match[4] or ""
    name = state.renamed.get((raw, name), name)
    keyword = match[1].split()[0]
    dangling = raw not in state.known or name not in state.known[raw]
    if (
        keyword in ("VAL_", "SIG_VALTYPE_", "SG_MUL_VAL_")
        and dangling
        and line.rstrip()[-1:] == ";"
    ):
        state.mend(f"{keyword} lines for signals that do not exist left out")
        return ""
    frame_id = raw | 0x80000000 if 0x800 <= raw <= 0x1FFFFFFF else raw
    return f"{match[1]}{frame_id}{match[3]}{name}{match[5]}"


def _check_ranges(state: _State, line: str, number: int) -> None:
    for low, high in _RANGE.findall(line):
        span = _number(state, high, number) - _number(state, low, number) + 1
        state.ranges += max(span, 0)
        if span > MAX_MULTIPLEX_RANGE or state.ranges > MAX_MULTIPLEX_TOTAL:
            raise _refuse(state, number, f"a multiplexer range of {span} values")


def _add_header(state: _State, lines: list[str]) -> None:
    """A parser wants BS_ and BU_ before the first message."""
    first = next((i for i, line in enumerate(lines) if line.lstrip().startswith("BO_ ")), None)
    if first is None:
        return
    missing = [
        word for word in ("BS_:", "BU_:") if not any(_is_header(li, word) for li in lines[:first])
    ]
    if missing:
        lines[first] = " ".join((*missing, lines[first]))
        state.mend(f"header {' and '.join(missing)} added")


def _is_header(line: str, word: str) -> bool:
    return line.replace(" ", "").startswith(word)
