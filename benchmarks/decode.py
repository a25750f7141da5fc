"""Decoding speed beside cantools (and asammdf where it is installed), on the same frames.

    python benchmarks/decode.py [--frames N]

2,000,000 frames of a bus with 96 cells in 24 messages (half Intel, half Motorola), pack values,
temperatures (one message multiplexed) and 96 balancing bits: 33 identifiers, 250 signals. cantools
decodes the first 100,000 of them and is scaled up; asammdf reads them all from an MF4 file.
"""

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path

import numpy as np

from protocols.decode import compile_messages, decode
from protocols.frames import Frames, empty_frames
from protocols.signals import Database, Message, MuxCondition, Signal


def bus() -> Database:
    """33 messages with 250 signals."""
    messages = []
    for k in range(24):
        little = k % 2 == 0
        signals = tuple(
            Signal(
                f"Cell_{4 * k + s + 1:03d}",
                16 * s if little else 16 * s + 7,
                16,
                little_endian=little,
                scale=0.0001,
                unit="V",
            )
            for s in range(4)
        )
        messages.append(Message(f"Cells_{k:02d}", 0x200 + k, 8, signals))
    pack = (
        Signal("Voltage", 0, 16, scale=0.01, unit="V"),
        Signal("Current", 16, 16, signed=True, scale=0.1, unit="A"),
        Signal("Soc", 32, 16, scale=0.01, unit="%"),
        Signal("Soh", 55, 16, little_endian=False, scale=0.01, unit="%"),
    )
    messages += [Message(f"Pack_{k}", 0x100 + k, 8, pack) for k in range(5)]
    plain = tuple(Signal(f"T{k}", 8 * k, 8, scale=1.0, offset=-40.0) for k in range(5))
    messages.append(Message("Temperatures", 0x300, 8, plain))
    selector = Signal("Group", 0, 8, is_selector=True)
    muxed = tuple(
        Signal(
            f"Probe_{3 * g + s + 1:02d}",
            16 + 16 * s,
            16,
            signed=True,
            scale=0.1,
            mux=(MuxCondition("Group", (g,)),),
        )
        for g in range(10)
        for s in range(3)
    )
    messages.append(Message("Probes", 0x301, 8, (selector, *muxed)))
    for half in range(2):
        bits = tuple(Signal(f"Balancing_{48 * half + k + 1}", k, 1) for k in range(48))
        messages.append(Message(f"Balancing_{half}", 0x310 + half, 8, bits))
    return Database("benchmark", tuple(messages))


def traffic(database: Database, count: int) -> Frames:
    """`count` frames: cells and pack often, the rest seldom, as on a real bus."""
    random = np.random.default_rng(1)
    weights = np.array([8.0 if m.name[:4] in ("Cell", "Pack") else 1.0 for m in database.messages])
    ids = np.array([m.id for m in database.messages], np.uint32)
    frames = empty_frames(count)
    frames.time[:] = np.arange(count) * 111_000
    frames.id[:] = random.choice(ids, count, p=weights / weights.sum())
    frames.length[:] = 8
    frames.data[:] = random.integers(0, 256, (count, 8), np.uint8)
    probes = frames.id == 0x301
    frames.data[probes, 0] %= 10
    return frames


def cantools_seconds(database: Database, frames: Frames) -> float:
    """Time of cantools for these frames, one `decode_message` per frame."""
    from cantools.database import Database as Cantools
    from cantools.database import load_string

    from protocols.dbc_text import to_dbc

    loaded = load_string(to_dbc(database), "dbc")
    assert isinstance(loaded, Cantools)
    ids = frames.id.tolist()
    payloads = [row.tobytes() for row in frames.data]
    start = time.perf_counter()
    for frame_id, payload in zip(ids, payloads, strict=True):
        loaded.decode_message(frame_id, payload, decode_choices=False)
    return time.perf_counter() - start


def asammdf_seconds(database: Database, frames: Frames) -> float:
    """Time of asammdf's extract_bus_logging on an MF4 file of the same frames."""
    from asammdf import MDF, Signal, Source

    from protocols.dbc_text import to_dbc

    record = np.dtype(
        [
            ("CAN_DataFrame.BusChannel", "u1"),
            ("CAN_DataFrame.ID", "<u4"),
            ("CAN_DataFrame.IDE", "u1"),
            ("CAN_DataFrame.DLC", "u1"),
            ("CAN_DataFrame.DataLength", "u1"),
            ("CAN_DataFrame.DataBytes", "(8,)u1"),
        ]
    )
    rows = np.zeros(len(frames), record)
    rows["CAN_DataFrame.BusChannel"] = 1
    rows["CAN_DataFrame.ID"] = frames.id
    rows["CAN_DataFrame.DLC"] = rows["CAN_DataFrame.DataLength"] = frames.length
    rows["CAN_DataFrame.DataBytes"] = frames.data
    source = Source("CAN", "CAN", "", Source.SOURCE_BUS, Source.BUS_TYPE_CAN)
    with tempfile.TemporaryDirectory() as folder:
        dbc = Path(folder) / "bus.dbc"
        dbc.write_text(to_dbc(database))
        mdf = MDF(version="4.10")
        stamps = (frames.time - frames.time[0]) / 1e9
        mdf.append(Signal(rows, stamps, name="CAN_DataFrame", source=source))
        path = mdf.save(Path(folder) / "bus.mf4", overwrite=True)
        mdf.close()
        with MDF(path) as log:
            start = time.perf_counter()
            log.extract_bus_logging({"CAN": [(str(dbc), 0)]})
            return time.perf_counter() - start


def best_of(repeats: int, frames: Frames, database: Database, block: int) -> tuple[float, int]:
    """Shortest time to decode all frames in blocks of `block`, and the samples made."""
    layout = compile_messages(database.messages)
    decode(frames[:1000], layout)
    shortest, samples = float("inf"), 0
    for _ in range(repeats):
        start = time.perf_counter()
        samples = sum(
            len(decode(frames[at : at + block], layout)) for at in range(0, len(frames), block)
        )
        shortest = min(shortest, time.perf_counter() - start)
    return shortest, samples


def main() -> None:
    """Print one line per peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=2_000_000)
    count = parser.parse_args().frames
    database = bus()
    frames = traffic(database, count)
    few = frames[: min(count, 100_000)]
    reference = cantools_seconds(database, few) / len(few)
    print(f"cantools: {1e-6 / reference:.2f} M frames/s")
    ours = float("inf")
    for block in (count, 65_536, 1024):
        seconds, samples = best_of(3, frames, database, block)
        ours = min(ours, seconds / count)
        print(
            f"decode, blocks of {block}: {count / seconds / 1e6:.1f} M frames/s, "
            f"{samples / seconds / 1e6:.0f} M samples/s, "
            f"{reference * count / seconds:.0f} x cantools"
        )
    if importlib.util.find_spec("asammdf"):
        peer = asammdf_seconds(database, frames) / count
        print(f"asammdf: {1e-6 / peer:.2f} M frames/s; decode is {peer / ours:.1f} x as fast")
    else:
        print("asammdf is not installed: not compared")


if __name__ == "__main__":
    main()
