"""A live test before connecting: which bitrate, which protocol, how many cells, or why none.

Starts an acquisition of its own, listens, and ends it. Sends nothing, except where the person chose
mode active and named a protocol that has to be asked: then its questions. No Qt.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bms_studio.acquisition import client
from bms_studio.acquisition.adapters import AdapterError
from bms_studio.acquisition.client import Acquisition
from bms_studio.acquisition.control import ControlError
from bms_studio.acquisition.settings import ACTIVE, LISTEN, AdapterSettings
from bms_studio.connection import ConnectSettings, LinkTest
from bms_studio.hearing import USUAL_BITRATES, Heard, judge
from bms_studio.interpret import interpret
from bms_studio.jobs import Job
from bms_studio.pipeline import Pipeline
from bms_studio.requests import request_for
from protocols.frames import ERROR, TRANSMITTED, Frames, concatenate
from protocols.registry import load

_HEARD_S = 0.6
_TEST_S = 1.6  # with the start of the acquisition program 2 s in all
_ASK_S = 3.0
_ALONE = ("bus.silent", "bus.errors", "bus.repeated")


def adapter_settings(settings: ConnectSettings, bitrate: int) -> AdapterSettings:
    """What the acquisition program needs of what a person chose."""
    return AdapterSettings(
        settings.interface,
        settings.channel,
        bitrate,
        settings.fd,
        settings.data_bitrate or 2_000_000,
        settings.mode,
    )


def find_bitrate(job: Job, settings: ConnectSettings) -> int:
    """The usual bitrate at which frames are heard, listening only; 0 if at none."""
    wanted = replace(adapter_settings(settings, USUAL_BITRATES[0]), mode=LISTEN)
    with _short(wanted) as acquisition:
        return _search(job, acquisition, USUAL_BITRATES)[0]


def try_link(job: Job, settings: ConnectSettings) -> LinkTest:
    """What a live test tells. `message` is one sentence when adapter or files cannot be used."""
    try:
        return _tested(job, settings)
    except (AdapterError, ControlError, ValueError, OSError) as problem:
        return LinkTest(message=str(problem))


def _tested(job: Job, settings: ConnectSettings) -> LinkTest:
    request = request_for(settings.protocol, settings.databases, settings.profile)
    polls = load(settings.protocol).schedule if settings.protocol else ()
    asks = settings.mode == ACTIVE and bool(polls)
    bitrate = settings.bitrate
    tried: tuple[int, ...] = ()
    searching = not bitrate
    if searching and settings.protocol:
        bitrate = load(settings.protocol).bitrates[0] if asks else 0
        searching = not bitrate
    wanted = adapter_settings(settings, bitrate or USUAL_BITRATES[0])
    with _short(replace(wanted, mode=LISTEN) if searching else wanted) as acquisition:
        if searching:
            found, tried = _search(job, acquisition, USUAL_BITRATES)
            bitrate = found or USUAL_BITRATES[0]
            if settings.mode != LISTEN or not found:
                acquisition.change_mode(settings.mode, bitrate)
        if asks:
            acquisition.ask(polls)
        seconds = _ASK_S if asks else _TEST_S
        frames = _hear(job, acquisition, seconds)
        status = acquisition.status()
    meaning = interpret(frames, request) if len(frames) else None
    cells = 0
    if meaning is not None:
        pipeline = Pipeline(meaning.databases, meaning.mapping)
        pipeline.push(frames)
        scanner = pipeline.scanner("cell")
        cells = scanner.columns if scanner else 0
    heard = Heard(
        frames,
        seconds,
        status.mode,
        bitrate,
        errors=status.errors,
        bus_state=status.bus_state,
        protocol=meaning.mapping.protocol if meaning else "",
        title=meaning.title if meaning else "",
        cells=cells,
        asking=status.asking,
        other_id=status.other_id,
    )
    word = judge(heard, tried)
    alone = word is not None and word.code in _ALONE and status.mode == LISTEN
    good = (frames.flags & (ERROR | TRANSMITTED)) == 0
    return LinkTest(
        frames_per_s=float(good.sum()) / seconds,
        bitrate=bitrate,
        protocol=meaning.title if meaning else "",
        confidence=meaning.confidence if meaning else 0.0,
        cells=cells,
        question="pack_alone" if alone else "",
        runner_up=meaning.runner_up if meaning else "",
        bus=word,
        note=status.note,
    )


def _search(
    job: Job, acquisition: Acquisition, bitrates: Sequence[int]
) -> tuple[int, tuple[int, ...]]:
    """The first of these bitrates at which a frame comes (0: none), and those tried in vain."""
    tried: list[int] = []
    for bitrate in bitrates:
        if acquisition.status().bitrate != bitrate:
            acquisition.change_mode(LISTEN, bitrate)
            acquisition.read()  # what came before belongs to the other bitrate
        frames = _hear(job, acquisition, _HEARD_S, enough=3)
        if ((frames.flags & ERROR) == 0).any():
            return bitrate, tuple(tried)
        tried.append(bitrate)
    return 0, tuple(tried)


def _hear(job: Job, acquisition: Acquisition, seconds: float, enough: int = 0) -> Frames:
    """All frames of that time; `enough` good ones end it sooner."""
    parts: list[Frames] = []
    good = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (enough and good >= enough):
        job.check()
        parts.append(acquisition.read())
        good += int(((parts[-1].flags & ERROR) == 0).sum())
        time.sleep(0.02)
    return concatenate(parts)


@contextmanager
def _short(settings: AdapterSettings) -> Iterator[Acquisition]:
    """An acquisition that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="bms-studio-test-") as folder:
        acquisition = client.start(settings, Path(folder) / "journal", owned=True)
        try:
            yield acquisition
        finally:
            acquisition.quit()
            acquisition.close()
