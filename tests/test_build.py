"""The builder: packs never share a file, a late pack is found, labels and losses are kept."""

import dataclasses
from pathlib import Path

import numpy as np

from bms_studio.build import Built, Item, build
from bms_studio.interpret import Request
from bms_studio.pack.profile import parse_profile
from bms_studio.simulator.pack import PackSpec
from bms_studio.simulator.simulation import generate
from bms_studio.timeline import Event
from protocols.frames import Frames, concatenate, empty_frames
from recordings.layout import RecordingAttributes
from recordings.reader import Recording

SECOND = 1_000_000_000


def frames(serial: str, start_s: float, cells: int = 8, protocol: str = "scooter") -> Frames:
    spec = PackSpec(serial=serial)
    start_ns = int(start_s * SECOND)
    blocks = generate(6.0, cells, (), protocol, rate_hz=10, spec=spec, start_ns=start_ns)
    return concatenate(list(blocks))


def lost(at_s: float) -> Item:
    return Item(event=Event(int(at_s * SECOND), "lost", "The adapter is gone."))


def made(tmp_path: Path, *items: Item | Frames, request: Request | None = None) -> Built:
    stream = [item if isinstance(item, Item) else Item(frames=item) for item in items]
    target = tmp_path / "rec.h5"
    return build(stream, target, RecordingAttributes("live"), request or Request())


def names(built: Built) -> list[str]:
    return [written.path.name for written in built.files]


def test_another_pack_after_a_lost_link_gets_a_file_of_its_own(tmp_path: Path) -> None:
    built = made(tmp_path, frames("A-1", 1000), lost(1007), frames("B-2", 1010))
    assert names(built) == ["rec.h5", "rec-2.h5"]
    assert built.changes == ["other"]
    one, two = (Recording(written.path) for written in built.files)
    assert one.attributes.uuid != two.attributes.uuid
    assert "pack-changed" in {event.kind for event in one.events()}
    assert "pack-changed" in {event.kind for event in two.events()}
    assert one.rows("/frames") + two.rows("/frames") == 2 * len(frames("A-1", 1000))


def test_the_same_pack_after_a_lost_link_goes_on_in_its_file(tmp_path: Path) -> None:
    built = made(tmp_path, frames("A-1", 1000), lost(1007), frames("A-1", 1010))
    assert names(built) == ["rec.h5"]


def test_a_pack_swapped_while_the_bus_was_silent_is_noticed(tmp_path: Path) -> None:
    swapped = made(tmp_path, concatenate([frames("A-1", 1000), frames("B-2", 1012, cells=6)]))
    assert names(swapped) == ["rec.h5", "rec-2.h5"]
    one, two = (Recording(written.path) for written in swapped.files)
    assert one.columns("/cells")["voltage"].width == 8
    assert two.columns("/cells")["voltage"].width == 6


def test_silence_alone_splits_nothing(tmp_path: Path) -> None:
    parts = [frames("A-1", start) for start in (1000, 1012, 1030)]
    built = made(tmp_path, concatenate(parts))
    assert names(built) == ["rec.h5"]
    kinds = [event.kind for event in Recording(built.files[0].path).events()]
    assert kinds == ["silence", "silence"]


def test_another_serial_number_without_any_gap_is_noticed(tmp_path: Path) -> None:
    built = made(tmp_path, concatenate([frames("A-1", 1000), frames("B-2", 1006.1)]))
    assert names(built) == ["rec.h5", "rec-2.h5"]
    span = Recording(built.files[0].path).span("/frames")
    assert span is not None
    assert abs(span[1] - 1006 * SECOND) < 1.6 * SECOND


def test_a_pack_that_speaks_another_protocol_is_another_pack(tmp_path: Path) -> None:
    built = made(tmp_path, frames("A-1", 1000), frames("", 1020, protocol="vesc"))
    assert names(built) == ["rec.h5", "rec-2.h5"]
    assert Recording(built.files[1].path).attributes.protocol == "vesc"
    assert Recording(built.files[1].path).rows("/cells") > 10


def test_a_file_that_stands_there_is_not_overwritten_by_the_second_pack(tmp_path: Path) -> None:
    (tmp_path / "rec-2.h5").write_text("mine")
    built = made(tmp_path, frames("A-1", 1000), lost(1007), frames("B-2", 1010))
    assert names(built) == ["rec.h5", "rec-3.h5"]
    assert (tmp_path / "rec-2.h5").read_text() == "mine"


def test_a_pack_switched_on_late_is_found(tmp_path: Path) -> None:
    other = empty_frames(9000)
    other.time[:] = 900 * SECOND + np.arange(9000) * (SECOND // 100)
    other.id[:] = 0x555
    other.length[:] = 8
    blocks = [other[first : first + 200] for first in range(0, 9000, 200)]
    built = made(tmp_path, *blocks, frames("A-1", 991))
    assert names(built) == ["rec.h5"]
    assert built.meaning is not None
    assert Recording(built.files[0].path).rows("/cells") > 50
    assert Recording(built.files[0].path).attributes.protocol == "scooter"


def test_labels_of_the_profile_and_lost_frames_are_in_the_file(tmp_path: Path) -> None:
    profile = parse_profile('[pack]\nlabels = ["A1", "A2"]\nprobes = [{label = "front"}]\n')
    event = Event(1003 * SECOND, "drop", "7 lines", {"stage": "parser", "frames": 7})
    built = made(tmp_path, frames("A-1", 1000), Item(event=event), request=Request(profile=profile))
    rec = Recording(built.files[0].path)
    assert rec.labels("/cells")[:3] == ("A1", "A2", "3")
    assert rec.labels("/temperatures")[0] == "front"
    assert dict(rec.attributes.dropped) == {"parser": 7}


def test_balancing_is_as_wide_as_the_cells(tmp_path: Path) -> None:
    both = frames("A-1", 1000)
    kept = both[(both.id != 0x3AA)]
    few = both[both.id == 0x3AA]
    few = dataclasses.replace(few, data=few.data.copy())
    built = made(tmp_path, concatenate([kept, few])[np.argsort(np.r_[kept.time, few.time])])
    rec = Recording(built.files[0].path)
    assert rec.columns("/balancing")["active"].width == rec.columns("/cells")["voltage"].width


def test_live_another_pack_on_the_same_adapter_begins_anew() -> None:
    from bms_studio.derivation import Derivation
    from bms_studio.timeline import Timeline

    both = concatenate([frames("A-1", 1000), frames("B-2", 1006.1, cells=6)])
    derivation = Derivation(Request(), Timeline())
    for first in range(0, len(both), 9):
        derivation.push(both[first : first + 9])
    assert derivation.serial == "B-2"
    assert derivation.pack_status().cells == 6
    assert "pack-changed" in {event.kind for event in derivation.timeline.events}


def test_live_silence_between_frames_of_one_pack_changes_nothing() -> None:
    from bms_studio.derivation import Derivation
    from bms_studio.timeline import Timeline

    both = concatenate([frames("A-1", 1000), frames("A-1", 1020)])
    derivation = Derivation(Request(), Timeline())
    for first in range(0, len(both), 50):
        derivation.push(both[first : first + 50])
    assert derivation.serial == "A-1"
    kinds = [event.kind for event in derivation.timeline.events]
    assert kinds == ["silence"]
    assert derivation.timeline.rows("cells") > 100
