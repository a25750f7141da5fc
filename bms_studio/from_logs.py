"""Logs become a recording: `import`, and the window's Open for anything that is no recording.

`python -m bms_studio.from_logs TARGET LOG…` does it in a process of its own, with limits on memory
and time, and prints JSON lines for `bms_studio.jobs`. No Qt, no adapter.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio import __version__
from bms_studio.build import Built, Item, build
from bms_studio.digest import sha256
from bms_studio.from_samples import holds_samples, import_samples
from bms_studio.interpret import Request
from bms_studio.merge import Part, channels_of, merged, renumbered
from bms_studio.receipt import Receipt, to_json
from bms_studio.receipt_facts import Facts, meaning_of, receipt_of, source_of
from bms_studio.requests import is_database, request_for
from bms_studio.timeline import Event
from bms_studio.worker import limit, say, say_progress
from protocols.frames import Frames
from recordings.errors import Cancelled, UnreadableLog
from recordings.formats import read_log
from recordings.layout import RecordingAttributes
from recordings.logs import LogReader, LogReport
from recordings.packed_log import plain_log

_LOOK_SHARE = 0.25
_READING_SHARE = 0.6
_LINE_BYTES = 50  # a text line's usual length; only for the progress bar


@dataclass(frozen=True, slots=True)
class Imported:
    """What was built, what each log said of itself, in the order given, and the receipt."""

    built: Built
    reports: tuple[LogReport, ...]
    receipt: Receipt


def import_logs(
    logs: Sequence[Path],
    target: Path,
    request: Request,
    *,
    format_name: str | None = None,
    signals: bool = False,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Imported:
    """Merge logs by time into `target`; channels as `merge` says. Logs in gzip and zip are
    unpacked beside `target` while they are read; digests and names are those of what was given.

    Raises UnreadableLog, ValueError, OSError, Cancelled.
    """
    with ExitStack() as unpacked:
        plain = [unpacked.enter_context(plain_log(p, target.parent, cancelled)) for p in logs]
        steps = _Steps(progress, cancelled, sum(path.stat().st_size for path, _ in plain))
        try:
            return _import_plain(logs, plain, target, request, format_name, signals, steps)
        except UnreadableLog as problem:
            said = str(problem)
            for given, (unpacked_path, _) in zip(logs, plain, strict=True):
                said = said.replace(str(unpacked_path), str(given))
            raise UnreadableLog(said) from problem


def _import_plain(
    logs: Sequence[Path],
    plain: Sequence[tuple[Path, tuple[str, ...]]],
    target: Path,
    request: Request,
    format_name: str | None,
    signals: bool,
    steps: "_Steps",
) -> Imported:
    """plain: for each log the file to read, and what is to be told of it."""
    merging = len(logs) > 1
    parts = [_look(path, format_name, steps) for path, _ in plain] if merging else []
    parts = [replace(part, path=given) for part, given in zip(parts, logs, strict=False)]
    readers = [read_log(path, format_name) for path, _ in plain]
    digests = [sha256(path) for path in logs]
    reports = tuple(reader.report for reader in readers)
    for report, (_, notes) in zip(reports, plain, strict=True):
        report.notes += notes
    steps.begin(_LOOK_SHARE if merging else 0.0, _READING_SHARE)
    channels, streams = _streams(readers, parts, steps)
    blocks = merged(streams, steps.check)
    first = next(blocks, None)  # the reader has settled its time reference now
    facts = Facts()
    rules = channels_of(parts).rules if parts else ()

    def receipt(built: Built) -> Receipt:
        found = built.meaning
        return receipt_of(
            [source_of(*known) for known in zip(logs, digests, reports, strict=True)],
            facts,
            _reference(reports),
            meaning_of(found, facts),
            found.databases if found else (),
            request.profile,
            rules,
        )

    def items() -> Iterator[Item]:
        for block in _with_first(first, blocks):
            yield from _marks(reports)
            facts.add_frames(block)
            yield Item(frames=block)
        yield from _marks(reports)

    attributes = RecordingAttributes(
        source="import",
        time_reference=_reference(reports),
        title=logs[0].stem,
        software=f"BMS Studio {__version__}",
        source_names=tuple(path.name for path in logs),
        source_sha256=tuple(digests),
        profile=request.profile.text,
    )
    built = build(
        items(),
        target,
        attributes,
        request,
        channels=channels,
        signals=signals,
        watch=facts.add_rows,
        closing=lambda built: {"receipt": to_json(receipt(built))},
        progress=lambda share: steps.tell(_READING_SHARE + (1 - _READING_SHARE) * share),
        cancelled=steps.cancelled,
    )
    return Imported(built, reports, receipt(built))


class _Steps:
    """Progress over the stages of an import, and Cancel between blocks."""

    def __init__(
        self,
        progress: Callable[[float], None] | None,
        cancelled: Callable[[], bool] | None,
        size: int,
    ) -> None:
        self._progress, self.cancelled, self._size = progress, cancelled, max(size, 1)
        self._from, self._to, self._done = 0.0, _LOOK_SHARE, 0

    def begin(self, start: float, end: float) -> None:
        """A stage that fills the bar from `start` to `end`."""
        self._from, self._to, self._done = start, end, 0

    def count(self, frames: Frames) -> None:
        """A block has been read; raises Cancelled."""
        self.check()
        self._done += len(frames) * _LINE_BYTES
        self.tell(self._from + (self._to - self._from) * min(1.0, self._done / self._size))

    def check(self) -> None:
        """Raise Cancelled if somebody asked to stop."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("the import was cancelled")

    def tell(self, share: float) -> None:
        """Show a share 0..1 of the whole."""
        if self._progress is not None:
            self._progress(share)


def _look(path: Path, format_name: str | None, steps: _Steps) -> Part:
    """Span and channels of one of several logs, read through once."""
    reader = read_log(path, format_name)
    first, last = 0, 0
    for block in reader:
        first = first if last else int(block.time[0])
        last = int(block.time[-1])
        steps.count(block)
    report = reader.report
    names = tuple(report.channels) or ("",)
    dated = report.time_reference != "relative"
    return Part(path, first, last, report.frames, names, dated)


def _streams(
    readers: Sequence[LogReader], parts: Sequence[Part], steps: _Steps
) -> tuple[Sequence[str], list[Iterator[Frames]]]:
    """Channel names, and the blocks of every log with the channel numbers of the whole."""

    def counted(reader: LogReader, numbers: NDArray[np.uint8] | None) -> Iterator[Frames]:
        for block in reader:
            steps.count(block)
            yield block if numbers is None else renumbered(block, numbers)

    if not parts:  # its list of channels still grows while it is read
        return readers[0].report.channels, [counted(readers[0], None)]
    channels = channels_of(parts)
    return channels.names, [
        counted(*known) for known in zip(readers, channels.numbers, strict=True)
    ]


def _with_first(first: Frames | None, blocks: Iterator[Frames]) -> Iterator[Frames]:
    if first is not None:
        yield first
    yield from blocks


def _marks(reports: Sequence[LogReport]) -> Iterator[Item]:
    """Where time was repaired since the last call, as events."""
    for report in reports:
        for when, kind, words in report.marks:
            yield Item(event=Event(when, kind, words))
        report.marks.clear()


def _reference(reports: Sequence[LogReport]) -> str:
    known = {report.time_reference for report in reports}
    for word in ("relative", "local-assumed"):
        if word in known:
            return word
    return "utc"


def main(arguments: list[str]) -> int:
    """TARGET LOG… [DATABASE…]; JSON lines on standard output."""
    target, *given = (Path(a) for a in arguments)
    logs = [path for path in given if not is_database(path)]
    limit(sum(path.stat().st_size for path in logs if path.is_file()))
    result: dict[str, Any] = {}
    try:
        request = request_for("", [str(path) for path in given if is_database(path)])
        if len(logs) == 1 and holds_samples(logs[0]):
            built, _, receipt = import_samples(logs[0], target, request, progress=say_progress())
        else:
            imported = import_logs(logs, target, request, progress=say_progress())
            built, receipt = imported.built, imported.receipt
        result = {"files": [str(w.path) for w in built.files], "receipt": to_json(receipt)}
    except (ValueError, OSError, MemoryError) as problem:
        say({"error": str(problem) or "the log needs more memory than is allowed"})
        return 3
    say({"result": result})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
