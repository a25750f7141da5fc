"""The emulated adapter is an adapter: handshake, losses, hang-up, over a real terminal and TCP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial

from bms_studio.simulator.__main__ import build, parser
from bms_studio.simulator.emulated_adapter import BUFFER_BYTES, EmulatedAdapter, TcpPort, Terminal
from bms_studio.simulator.simulation import generate
from protocols import scooter, slcan
from protocols.frames import Frames, concatenate

ROOT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals exist on POSIX only")
PORTS = [pytest.param("--pty", marks=posix), pytest.param("--tcp=0")]


@contextmanager
def simulator(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The program itself, ready; its first line as a dictionary."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bms_studio.simulator", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read().decode()
        yield process, json.loads(line)
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def ask(port: serial.SerialBase, command: bytes) -> bytes:
    """The reply to one command, up to and with its CR or BEL."""
    port.write(command)
    reply = b""
    end = time.monotonic() + 3.0
    while time.monotonic() < end and not reply.endswith((b"\r", b"\a")):
        reply += port.read(1)
    return reply


def listen(port: serial.SerialBase, seconds: float) -> slcan.Parsed:
    """Everything that arrives in `seconds`."""
    text = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text += port.read(4096)
    return slcan.parse(text)


@pytest.mark.parametrize("where", PORTS)
def test_a_program_shakes_hands_opens_the_channel_and_reads_the_pack(where: str) -> None:
    with simulator(where, "--serial", "SIM-0042", "--fault", "resistance:13") as (process, ready):
        port = serial.serial_for_url(ready["channel"], timeout=0.05)
        assert ask(port, b"V\r") == b"V1013\r"
        assert ask(port, b"N\r") == b"NSIM1\r"
        assert ask(port, b"X9\r") == b"\a"
        assert ask(port, b"C\r") == b"\a"  # it is closed already
        assert ask(port, b"S6\r") == b"\r"
        assert not len(listen(port, 0.3).frames)  # nothing before the channel is open
        assert ask(port, b"L\r") == b"\r"
        parsed = listen(port, 2.2)
        assert parsed.bad == 0
        assert scooter.serial(parsed.frames) == "SIM-0042"
        assert 500 < len(parsed.frames) / 2.2 < 1100
        port.write(b"C\r")
        listen(port, 0.3)
        assert not len(listen(port, 0.3).frames)
        port.close()
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        last = json.loads(process.stdout.read())
        assert process.wait(5) == 0
        assert last["dropped"] == 0
        assert last["offered"] >= len(parsed.frames)


def test_an_unknown_option_or_fault_ends_with_one_sentence_and_status_2() -> None:
    for arguments in (
        ["--fault", "rust:3"],
        ["--cells", "0"],
        ["--rate", "33"],
        ["--speed", "0"],
        ["--tcp", "70000"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "bms_studio.simulator", *arguments],
            cwd=ROOT,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.decode().strip().count("\n") == 0
        assert b"Traceback" not in done.stderr


def test_the_story_has_a_weak_cell_unless_faults_are_named() -> None:
    def faults(*arguments: str) -> list[tuple[str, int]]:
        simulation = build(parser().parse_args(arguments))
        return [(fault.kind, fault.cell) for fault in simulation.pack.spec.faults]

    assert faults() == []
    assert faults("--story") == [("resistance", 13)]
    assert faults("--story", "--cells", "4") == [("resistance", 4)]
    assert faults("--story", "--fault", "hot:2") == [("hot", 2)]


@contextmanager
def adapter_pair(make: type[Terminal] | type[TcpPort]) -> Iterator[tuple[EmulatedAdapter, Any]]:
    """An adapter in this process and a port opened on it."""
    adapter = EmulatedAdapter(make())
    port = serial.serial_for_url(adapter.line.url, timeout=0)
    for _ in range(20):
        adapter.service(0.002)
    try:
        yield adapter, port
    finally:
        port.close()
        adapter.close()


def exchange(adapter: EmulatedAdapter, port: Any, command: bytes) -> bytes:
    """Write a command and let the adapter answer it."""
    port.write(command)
    reply = b""
    for _ in range(100):
        adapter.service(0.002)
        reply += port.read(64)
        if reply.endswith((b"\r", b"\a")):
            break
    return reply


MAKERS = [pytest.param(Terminal, marks=posix), pytest.param(TcpPort)]


@pytest.mark.parametrize("make", MAKERS)
def test_frames_arrive_bit_for_bit(make: type[Terminal] | type[TcpPort]) -> None:
    blocks = list(generate(1.0, protocol="vesc", rate_hz=20))
    with adapter_pair(make) as (adapter, port):
        assert exchange(adapter, port, b"O\r") == b"\r"
        text = b""
        for block in blocks:
            adapter.send(block)
            adapter.service(0.002)
            text += port.read(65536)
        end = time.monotonic() + 2.0
        while adapter._out and time.monotonic() < end:
            adapter.service(0.002)
            text += port.read(65536)
        text += port.read(65536)
    got, sent = slcan.parse(text).frames, concatenate(blocks)
    assert adapter.counts.dropped == 0
    assert np.array_equal(got.id, sent.id)
    assert np.array_equal(got.data, sent.data)
    assert np.array_equal(got.length, sent.length)
    assert np.array_equal(got.flags, sent.flags)


@pytest.mark.parametrize("make", MAKERS)
def test_what_nobody_reads_is_dropped_whole_and_counted(
    make: type[Terminal] | type[TcpPort],
) -> None:
    block = concatenate(list(generate(5.0)))
    with adapter_pair(make) as (adapter, port):
        exchange(adapter, port, b"O\r")
        while adapter.counts.dropped < 500:
            adapter.send(block)
        assert len(adapter._out) <= BUFFER_BYTES
        text = b""
        quiet = 0
        while quiet < 20:
            adapter.service(0.002)
            more = port.read(65536)
            text += more
            quiet = 0 if more or adapter._out else quiet + 1
        parsed = slcan.parse(text)
        assert parsed.bad == 0
        assert len(parsed.frames) + adapter.counts.dropped == adapter.counts.offered


@pytest.mark.parametrize("make", MAKERS)
def test_frames_that_the_computer_transmits_reach_the_simulator_only_when_the_bus_is_open(
    make: type[Terminal] | type[TcpPort],
) -> None:
    with adapter_pair(make) as (adapter, port):
        assert exchange(adapter, port, b"t1232AABB\r") == b"\a"
        exchange(adapter, port, b"L\r")
        assert exchange(adapter, port, b"t1232AABB\r") == b"\a"
        exchange(adapter, port, b"C\r")
        assert exchange(adapter, port, b"O\r") == b"\r"
        assert exchange(adapter, port, b"S5\r") == b"\a"  # not while it is open
        assert exchange(adapter, port, b"t1232AABB\r") == b"z\r"
        assert exchange(adapter, port, b"T1ABCDEF01FF\r") == b"Z\r"
        assert exchange(adapter, port, b"t12\r") == b"\a"
        frames = adapter.received()
        assert isinstance(frames, Frames)
        assert frames.id.tolist() == [0x123, 0x1ABCDEF0]
        assert adapter.received() is None


@posix
def test_when_the_other_program_goes_the_channel_closes_and_the_next_one_starts_clean() -> None:
    block = next(iter(generate(1.0)))
    adapter = EmulatedAdapter(Terminal())
    for _ in range(3):
        port = serial.Serial(adapter.line.url, timeout=0)
        assert exchange(adapter, port, b"O\r") == b"\r"
        adapter.send(block)
        adapter.service(0.01)
        assert port.read(65536).startswith(b"t3A")
        port.close()
        for _ in range(5):
            adapter.service(0.01)
        assert adapter.state == "closed"
        assert not adapter._out
    adapter.close()


@posix
def test_unplugging_ends_the_other_side_at_once() -> None:
    adapter = EmulatedAdapter(Terminal())
    port = serial.Serial(adapter.line.url, timeout=1.0)
    exchange(adapter, port, b"O\r")
    adapter.close()
    begun = time.monotonic()
    with pytest.raises(serial.SerialException):
        port.read(10)
    assert time.monotonic() - begun < 1.0
    port.close()


def test_garbage_from_the_computer_is_refused_and_the_next_command_works() -> None:
    with adapter_pair(TcpPort) as (adapter, port):
        port.write(bytes(range(14, 256)) * 3)
        for _ in range(10):
            adapter.service(0.002)
        port.write(b"\r")
        for _ in range(10):
            adapter.service(0.002)
        port.read(65536)
        assert exchange(adapter, port, b"V\r") == b"V1013\r"
        assert adapter.counts.refused >= 1
