"""A table of samples becomes a recording: it enters one step later than frames, there are none.

`recordings.sample_csv` reads; here it is only written down. No Qt, no adapter.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bms_studio import __version__
from bms_studio.build import Built
from bms_studio.digest import sha256
from bms_studio.interpret import Request
from bms_studio.receipt import Meaning, Receipt, to_json
from bms_studio.receipt_facts import Facts, receipt_of, source_of
from protocols.roles import PACK_FIELDS
from recordings.errors import UnreadableLog
from recordings.formats import detect_format
from recordings.layout import RecordingAttributes
from recordings.logs import LogReport
from recordings.sample_csv import Samples, is_sample_table, read_samples
from recordings.sample_scale import SIGN_UNVERIFIED
from recordings.writer import RecordingWriter

_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")

_CURRENT = [f.name for f in PACK_FIELDS].index("current")


def holds_samples(path: Path) -> bool:
    """Whether `path` is a table of samples and no CAN log. False for what is neither; what calls
    itself a table is read as one, so that the refusal names its columns."""
    try:
        detect_format(path)
    except UnreadableLog:
        named = path.name.lower().endswith(_TABLES)
        return path.is_file() and (named or is_sample_table(path))
    return False


def import_samples(
    path: Path,
    target: Path,
    request: Request,
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Built, LogReport, Receipt]:
    """Write the table's column groups into `target`. Raises UnreadableLog, OSError, Cancelled."""
    size = max(path.stat().st_size, 1)

    def read(done: int) -> None:
        if progress is not None:
            progress(0.7 * min(1.0, done / size))

    samples = read_samples(path, progress=read, cancelled=cancelled)
    digest = sha256(path)
    receipt = _receipt(path, digest, samples, request)
    attributes = RecordingAttributes(
        source="import",
        time_reference=samples.report.time_reference,
        title=path.stem,
        software=f"BMS Studio {__version__}",
        source_names=(path.name,),
        source_sha256=(digest,),
        profile=request.profile.text,
        receipt=to_json(receipt),
    )
    with RecordingWriter(target, attributes, progress=progress, cancelled=cancelled) as writer:
        for group, time, columns in samples.groups():
            writer.rows(group, time, columns)
        for group, names in samples.labels.items():
            writer.labels(group, names)
        for when, text in samples.events:
            writer.event(when, "warning", text)
        written = writer.close()
    first, last = int(samples.time[0]), int(samples.time[-1])
    return Built([written], first_ns=first, last_ns=last), samples.report, receipt


def _receipt(path: Path, digest: str, samples: Samples, request: Request) -> Receipt:
    facts = Facts()
    facts.add_times(samples.time)
    facts.add_values("cell", samples.cells)
    facts.add_values("probe", samples.probes)
    pack = np.full((len(samples.time), len(PACK_FIELDS)), np.nan, np.float32)
    for k, pack_field in enumerate(PACK_FIELDS):
        if pack_field.name in samples.pack:
            pack[:, k] = samples.pack[pack_field.name]
    facts.add_values("pack", pack)
    if "voltage" not in samples.pack and samples.cells.shape[1]:
        # Where nobody wrote the pack's voltage, the sum of its cells follows the current as well.
        facts.sign.push(pack[:, _CURRENT], samples.cells.sum(axis=1, dtype=np.float32))
    agree, against = facts.sign.counts
    unused = ", ".join(samples.unused[:30])
    meaning = Meaning(
        protocol="samples",
        title="samples",
        confidence=1.0,
        signals=len(samples.columns),
        cells=facts.cells,
        probes=facts.probes,
        current=facts.current,
        sign_state=facts.sign.state,
        steps_for=agree,
        steps_against=against,
        notes=tuple(
            [f"{c.header} = {c.role}" for c in samples.columns]
            + ([f"columns without a meaning here: {unused}"] if unused else [])
        ),
    )
    if facts.sign.state != "unverified" and SIGN_UNVERIFIED in samples.report.notes:
        samples.report.notes.remove(SIGN_UNVERIFIED)
    source = source_of(path, digest, samples.report)
    reference = samples.report.time_reference
    return receipt_of([source], facts, reference, meaning, (), request.profile)
