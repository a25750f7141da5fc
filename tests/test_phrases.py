"""Reasons, notes, repairs and alarms reach a Chinese reader in Chinese: every one that is made."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from protocol_buses import SENDERS, rounds

from bms_studio import language
from bms_studio.interpret import Request, interpret
from bms_studio.phrases import TEMPLATES, retell
from protocols.alarms import AlarmChange
from protocols.dbc import load_database, parse_database
from protocols.mapping import map_database
from protocols.registry import available, load

HEAD = 'VERSION ""\nBS_:\nBU_: B\n'
# Words that stay as they are: names of signals, files, protocols, units; numbers.
_KEPT = re.compile(r"[A-Za-z]")


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    language.set_language("zh_CN")
    yield
    language.set_language("en")


def english(sentence: str) -> bool:
    """Whether words of the sentence were left in English."""
    told = retell(sentence)
    left = re.findall(r"\b[a-z]{3,}\b(?: [a-z]{2,}\b)+", told)  # two small words in a row
    return bool(left) or not re.search(r"[一-鿿]", told)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_is_recognised_with_its_parameters(template: str) -> None:
    sentence = template.replace("{what}", "cell 12").replace("{things}", "cell voltages")
    sentence = sentence.replace("{alarm}", "Cell voltage high").replace("{name}", "M1.Cell_07")
    sentence = re.sub(r"\{\w+\}", "7", sentence)
    told = retell(sentence)
    assert told != sentence
    assert re.search(r"[一-鿿]", told)
    if "{name}" in template:
        assert "M1.Cell_07" in told


@pytest.mark.parametrize("name", available())
def test_what_a_protocol_says_of_itself_is_told(name: str) -> None:
    protocol = load(name)
    for why in {b.why for b in protocol.mapping.bindings}:
        assert not english(why), why
    if name in SENDERS:
        meaning = interpret(rounds(*SENDERS[name]), Request())
        assert meaning is not None
        for sentence in (meaning.why, *meaning.mapping.notes):
            assert not sentence or not english(sentence.replace(protocol.title, "X")), sentence


def test_alarms_are_told_with_their_words() -> None:
    change = AlarmChange(0, "Cell voltage high", "warning", stands=True, pack=2)
    assert retell(str(change)) == "电池组 2 的 BMS 警告：电芯电压高"
    foreign = AlarmChange(0, "BMS_Fault_7 Relay stuck", "alarm", stands=False)
    assert retell(str(foreign)) == "BMS 报警解除：BMS_Fault_7 Relay stuck"


def test_reasons_and_notes_of_a_database_are_told() -> None:
    text = HEAD + (
        'BO_ 1 Cells: 8 B\n SG_ Cell_1 : 0|16@1+ (0.001,0) [0|0] "" B\n'
        ' SG_ Cell_2 : 16|16@1+ (0.001,0) [0|0] "V" B\n SG_ Cell_2 : 24|16@1+ (1,0) [0|0] "" B\n'
        'BO_ 2 BMS: 4 B\n SG_ 1Current : 0|16@1- (0.1,0) [0|0] "A" B\n'
        ' SG_ Pack_Current : 0|16@1- (0.1,0) [0|0] "A" B\n SG_ Late : 32|8@1+ (1,0) [0|0] "" B\n'
    )
    database = parse_database("a.dbc", text)
    mapping = map_database([database])
    sentences = [*mapping.notes, *database.repairs, *(b.why for b in mapping.bindings)]
    assert len(database.repairs) >= 3
    for sentence in sentences:
        assert not english(sentence), sentence


def test_everything_said_of_the_real_databases_and_captures_is_told(shared_data: Path) -> None:
    from test_captures import STATEMENTS, meaning_of

    sentences = set()
    for path in sorted((shared_data / "can").rglob("*.dbc")):
        database = load_database(path)
        mapping = map_database([database])
        sentences |= {*database.repairs, *mapping.notes, *(b.why for b in mapping.bindings)}
    for log, databases, _, _ in STATEMENTS:
        _, meaning = meaning_of(shared_data, log, *databases)
        assert meaning is not None
        sentences |= {*meaning.mapping.notes, *(b.why for b in meaning.mapping.bindings)}
        sentences.add(meaning.why)
    titles = [load(name).title for name in available()]
    left = [s for s in sorted(sentences) if s and english(s) and not any(t in s for t in titles)]
    assert not left, left[:10]


def test_what_nobody_knows_stays_as_it_is() -> None:
    for sentence in ("", "something else entirely", "M1.x: odd; and odder, too"):
        assert retell(sentence).replace("；", "; ").replace("、", ", ") == sentence
    language.set_language("en")
    assert retell("not seen yet") == "not seen yet"
