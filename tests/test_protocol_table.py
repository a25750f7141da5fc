"""docs/protocols.md says what is true: a row per protocol with its facts, a profile for each."""

from importlib import resources
from pathlib import Path

import pytest
from test_protocol_compliance import frames_of

from bms_studio.interpret import Request, interpret
from bms_studio.pack.profile import Profile, parse_profile
from bms_studio.requests import request_for
from protocols.contract import Protocol
from protocols.decode import Samples
from protocols.polled import Decoder
from protocols.registry import available, load
from protocols.roles import KINDS, Role, fields, parse_role

ROOT = Path(__file__).resolve().parent.parent
_NOUNS = (("cell", "cells"), ("probe", "probes"), ("balancing", "balancing"), ("pack", "pack"))


def facts(protocol: Protocol) -> str:
    """The part of a row that the program knows itself."""
    kinds = {binding.role.kind for binding in protocol.mapping.bindings}
    tells = ", ".join(noun for kind, noun in _NOUNS if kind in kinds)
    rates = ", ".join(f"{rate // 1000}" for rate in protocol.bitrates)
    sign = {"+discharge": "discharge", "+charge": "charge"}[protocol.mapping.sign]
    if not any(b.role.field == "current" for b in protocol.mapping.bindings):
        sign = "–"
    limits = sum(b.role.field.endswith("_limit") for b in protocol.mapping.bindings)
    says = "yes" if protocol.serial or protocol.identity else "–"
    asked = str(len(protocol.polls)) if protocol.polls else "–"
    alarms = str(len(protocol.mapping.alarms)) if protocol.mapping.alarms else "–"
    return (
        f"| `{protocol.name}` | {protocol.title} | {rates} | {tells} | {sign} | {limits or '–'} | "
        f"{alarms} | {says} | {asked} | {len(protocol.examples)} |"
    )


@pytest.mark.parametrize("name", available())
def test_the_table_has_the_facts_of_every_protocol(name: str) -> None:
    lines = (ROOT / "docs" / "protocols.md").read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith(f"| `{name}` |")]
    assert [row for row in rows if row.startswith(facts(load(name)))], facts(load(name))
    evidence = [row for row in rows if not row.startswith(facts(load(name)))]
    assert len(evidence) == 1, "one row about source, confidence and checks"
    confidence = evidence[0].split("|")[3].strip()
    assert set(confidence.replace(",", "").split()) <= set("ABCD")


def test_no_row_of_the_table_is_about_a_protocol_that_is_not_there() -> None:
    lines = (ROOT / "docs" / "protocols.md").read_text("utf-8").splitlines()
    named = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert {name for name in named if "." not in name} == set(available())


def test_every_capture_and_database_of_the_shared_data_has_a_row(shared_data: Path) -> None:
    text = (ROOT / "docs" / "protocols.md").read_text("utf-8")
    for path in sorted((shared_data / "can").rglob("*")):
        if path.is_file():
            assert path.name in text, path.name


# --- profiles --------------------------------------------------------------------------------


def profile_of(name: str) -> Profile:
    text = resources.files("resources").joinpath("profiles", f"{name}.toml").read_text("utf-8")
    return parse_profile(text, f"{name}.toml")


def test_there_is_a_profile_for_every_protocol_and_none_else() -> None:
    folder = resources.files("resources").joinpath("profiles")
    assert {p.name for p in folder.iterdir() if p.name.endswith(".toml")} == {
        f"{name}.toml" for name in available()
    }


@pytest.mark.parametrize("name", available())
def test_under_its_profile_the_golden_frames_of_a_protocol_mean_what_they_say(name: str) -> None:
    profile, protocol = profile_of(name), load(name)
    assert profile.protocol == name
    assert profile.adapter["bitrate"] == protocol.bitrates[0]
    assert profile.adapter["mode"] == "listen"
    meaning = interpret(frames_of(protocol.examples), Request(profile=profile))
    assert meaning is not None
    for example in protocol.examples:
        frames = frames_of((example,))
        found = by_role(Decoder(meaning.databases, meaning.mapping).push(frames))
        expected = {str(parse_role(role)): v for role, v in example.expected.items()}
        # Places that this pack does not have are learned away.
        beyond = [r for r in expected if r.startswith("balancing") and r not in found]
        assert not any(expected.pop(role) for role in beyond)
        assert {role: found.get(role) for role in expected} == pytest.approx(expected), example


def by_role(samples: Samples) -> dict[str, float]:
    """Newest value per role."""
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


def test_a_profile_of_ours_is_named_without_a_path() -> None:
    assert request_for(profile="leaf").profile.protocol == "leaf"
    with pytest.raises(ValueError, match="name an existing profile"):
        request_for(profile="no-such-pack")
