"""Logs become a recording: `import`, and the window's Open for anything that is no recording.

`python -m bms_studio.from_logs TARGET LOG…` does it in a process of its own, with a limit on
memory, and prints JSON lines for `bms_studio.jobs`. No Qt, no adapter.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bms_studio import __version__
from bms_studio.build import Built, Item, build
from bms_studio.digest import sha256
from bms_studio.from_samples import holds_samples, import_samples
from bms_studio.interpret import Request
from bms_studio.worker import say, say_progress
from protocols.frames import Frames, concatenate
from recordings.formats import read_log
from recordings.layout import RecordingAttributes
from recordings.logs import LogReader, LogReport

_READING_SHARE = 0.6
_WORKER_BYTES = 6 << 30


@dataclass(frozen=True, slots=True)
class Imported:
    """What was built, and what each log said of itself, in the order given."""

    built: Built
    reports: tuple[LogReport, ...]


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
    """Merge logs by time into `target`. Raises UnreadableLog, ValueError, OSError."""
    readers = [read_log(path, format_name) for path in logs]
    digests = tuple(sha256(path) for path in logs)
    size = sum(path.stat().st_size for path in logs)
    first, blocks = _first(_merged([_numbered(r, i) for i, r in enumerate(readers)]))
    reports = tuple(reader.report for reader in readers)
    channels = tuple(name for report in reports for name in report.channels) or ("",)
    attributes = RecordingAttributes(
        source="import",
        time_reference=_reference(reports),
        title=logs[0].stem,
        software=f"BMS Studio {__version__}",
        source_names=tuple(path.name for path in logs),
        source_sha256=digests,
        profile=request.profile.text,
    )

    def items() -> Iterator[Item]:
        done = 0
        if first is not None:
            yield Item(frames=first)
        for block in blocks:
            done += len(block) * 30  # a text line's usual length; only for the progress bar
            if progress is not None:
                progress(_READING_SHARE * min(1.0, done / max(size, 1)))
            yield Item(frames=block)

    def share(done: float) -> None:
        if progress is not None:
            progress(_READING_SHARE + (1 - _READING_SHARE) * done)

    built = build(
        items(),
        target,
        attributes,
        request,
        channels=channels,
        signals=signals,
        progress=share,
        cancelled=cancelled,
    )
    return Imported(built, reports)


def _first(blocks: Iterator[Frames]) -> tuple[Frames | None, Iterator[Frames]]:
    """The first block, read now: channels and time reference are known afterwards."""
    return next(blocks, None), blocks


def _numbered(reader: LogReader, number: int) -> Iterator[Frames]:
    """Several logs are several channels, unless they name their own."""
    for block in reader:
        if number and not reader.report.channels:
            yield replace(block, channel=np.full(len(block), number, np.uint8))
        else:
            yield block


def _merged(streams: list[Iterator[Frames]]) -> Iterator[Frames]:
    """Blocks of several streams, each in order of time, as one stream in order of time."""
    if len(streams) == 1:
        yield from streams[0]
        return
    heads = [next(stream, None) for stream in streams]
    while any(head is not None for head in heads):
        # Up to the earliest end among the heads nothing later can come in between.
        edge = min(int(h.time[-1]) for h in heads if h is not None)
        taken = []
        for i, head in enumerate(heads):
            if head is None:
                continue
            count = int(np.searchsorted(head.time, edge, "right"))
            taken.append(head[:count])
            heads[i] = head[count:] if count < len(head) else next(streams[i], None)
        block = concatenate(taken)
        yield block[np.argsort(block.time, kind="stable")]


def _reference(reports: Sequence[LogReport]) -> str:
    known = {report.time_reference for report in reports}
    for word in ("relative", "local-assumed"):
        if word in known:
            return word
    return "utc"


def main(arguments: list[str]) -> int:
    """TARGET LOG…; JSON lines on standard output."""
    _limit_memory()
    try:
        target, *logs = (Path(a) for a in arguments)
        if len(logs) == 1 and holds_samples(logs[0]):
            built, _ = import_samples(logs[0], target, Request(), progress=say_progress())
        else:
            built = import_logs(logs, target, Request(), progress=say_progress()).built
    except (ValueError, OSError, MemoryError) as problem:
        say({"error": str(problem) or "the log needs more memory than is allowed"})
        return 3
    say({"result": {"files": [str(w.path) for w in built.files]}})
    return 0


def _limit_memory() -> None:
    """A log from a stranger may be a bomb; Windows has no such limit without a job object."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (_WORKER_BYTES, _WORKER_BYTES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
