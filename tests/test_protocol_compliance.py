"""What every built-in protocol must fulfil; a new one is tested by its line in the registry."""

import numpy as np
import pytest

from protocols.contract import Example, Protocol
from protocols.decode import compile_messages
from protocols.frames import EXTENDED, REMOTE, Frames, empty_frames
from protocols.isotp import segment
from protocols.j1939 import packets
from protocols.polled import Decoder, as_message, decode_transfers
from protocols.registry import available, load
from protocols.roles import KINDS, Role, fields, parse_role

PROTOCOLS = [load(name) for name in available()]


def spoken(example: Example) -> list[tuple[int, bytes]]:
    """Identifier and data of the frames that carry an example."""
    if example.j1939:
        return packets(example.id, example.data)
    return [(example.id, d) for d in (segment(example.data) if example.isotp else [example.data])]


def frames_of(examples: tuple[Example, ...]) -> Frames:
    carried = [(e, i, data) for e in examples for i, data in spoken(e)]
    frames = empty_frames(len(carried))
    for row, (example, identifier, data) in enumerate(carried):
        frames.time[row] = 1_000 * row
        frames.id[row] = identifier
        frames.flags[row] = EXTENDED if example.extended else 0
        frames.length[row] = len(data)
        frames.data[row, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def meaning(protocol: Protocol, frames: Frames) -> dict[str, float]:
    """Role (as text) -> value of all samples."""
    samples = Decoder([protocol.database], protocol.mapping).push(frames)
    found = {}
    for group in range(len(samples.start) - 1):
        pack, kind = group // len(KINDS) + 1, KINDS[group % len(KINDS)]
        _, index, value = samples.group(group)
        for column, amount in zip(index.tolist(), value.tolist(), strict=True):
            if kind in ("pack", "location"):
                role = Role(kind, field=fields(kind)[column].name, pack=pack)
            else:
                role = Role(kind, column + 1, pack=pack)
            found[str(role)] = amount
    return found


@pytest.mark.parametrize("name", available())
def test_the_name_in_the_registry_is_the_protocols_own(name: str) -> None:
    protocol = load(name)
    assert protocol.name == name == protocol.mapping.protocol == protocol.database.name
    assert protocol.title
    assert protocol.bitrates
    assert protocol.source_confidence.endswith(".")


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_each_example_means_exactly_what_it_says(protocol: Protocol) -> None:
    assert protocol.examples
    for example in protocol.examples:
        found = meaning(protocol, frames_of((example,)))
        expected = {str(parse_role(role)): value for role, value in example.expected.items()}
        for role, value in expected.items():
            assert found.pop(role) == pytest.approx(value, abs=1e-9), f"{example.id:X} {role}"
        others = {role for role in found if parse_role(role).number}
        assert not others, f"{example.id:X} also gives {others}"


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_every_binding_names_a_signal_and_gives_a_reason(protocol: Protocol) -> None:
    compile_messages(protocol.database.messages)
    decode_transfers(empty_frames(), protocol.database.transfers)
    Decoder([protocol.database], protocol.mapping)
    layouts = {message.name: message for message in protocol.database.messages}
    layouts |= {t.message.name: as_message(t) for t in protocol.database.transfers}
    assert len(layouts) == len(protocol.database.messages) + len(protocol.database.transfers)
    roles = set()
    for binding in protocol.mapping.bindings:
        assert binding.why
        # Signals under different selectors are never in one frame: no rivals.
        mux = layouts[binding.message].signal(binding.signal).mux
        place = (str(binding.role), binding.index, mux)
        assert place not in roles, f"{binding.role} has two sources"
        roles.add(place)
    for name in protocol.required:
        protocol.database.message(name)
    known = {binding.role.kind for binding in protocol.mapping.bindings}
    known |= {binding.role.field for binding in protocol.mapping.bindings}
    assert known & {"cell", "voltage"}


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_remote_frames_shortened_frames_and_noise_do_no_harm(protocol: Protocol) -> None:
    frames = frames_of(protocol.examples)
    frames.flags[:] |= REMOTE
    assert not meaning(protocol, frames)
    short = frames_of(protocol.examples)
    short.length[:] = 0
    assert not meaning(protocol, short)
    random = np.random.default_rng(7)
    noise = empty_frames(20_000)
    noise.id[:] = random.choice([e.id for e in protocol.examples], len(noise))
    noise.flags[:] = EXTENDED if protocol.examples[0].extended else 0
    noise.length[:] = random.integers(0, 9, len(noise))
    noise.data[:] = random.integers(0, 256, noise.data.shape)
    found = meaning(protocol, noise)
    # Noise hardly ever makes a whole ISO-TP message.
    assert found or all(example.isotp for example in protocol.examples)
    for role in found:
        parse_role(role)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_its_own_examples_pass_its_own_check(protocol: Protocol) -> None:
    if protocol.verify is None:
        pytest.skip(f"{protocol.name} has nothing to verify beyond ids and lengths")
    evidence = protocol.verify(frames_of(protocol.examples))
    assert evidence.score == 1.0
    assert evidence.why
    assert protocol.verify(empty_frames()).score == 0.0


@pytest.mark.parametrize("name", available())
def test_its_database_reaches_the_window_as_json_unchanged(name: str) -> None:
    import json
    from dataclasses import replace

    from bms_studio.described import databases_from, describe

    database = replace(load(name).database, text="")
    assert databases_from(json.loads(json.dumps(describe([database])))) == (database,)
