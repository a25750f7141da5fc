"""Every sentence a person can meet exists in every language, with the same parameters."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from bms_studio import kernels, language, merge, messages, phrases
from bms_studio.gui.actions import ACTIONS, SECTIONS
from bms_studio.receipt import UNLOCKS
from protocols.registry import available, load
from protocols.roles import LOCATION_FIELDS, PACK_FIELDS

SOURCES = sorted((Path(__file__).parent.parent / "bms_studio").rglob("*.py"))


def literal_calls(path: Path) -> Iterator[str]:
    """First arguments of text("…") and titles of jobs, as written in the source."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0]
        if (
            name in ("text", "Job")
            and isinstance(first, ast.Constant)
            and isinstance(first.value, str)
        ):
            yield first.value


def all_keys() -> set[str]:
    keys = {key for path in SOURCES for key in literal_calls(path)}
    keys |= set(messages.TEMPLATES.values())
    keys |= {kernels.PREPARING, *UNLOCKS.values(), merge.SAME, merge.APART, merge.UNDATED}
    keys |= {action.label for action in ACTIONS} | set(SECTIONS)
    keys |= {field.long_name for field in (*PACK_FIELDS, *LOCATION_FIELDS)}
    keys |= {*phrases.TEMPLATES, *phrases.NOUNS, *phrases.NUMBERED}
    keys |= alarm_texts()
    return keys


def alarm_texts() -> set[str]:
    """What the built-in protocols warn of."""
    alarms = [a for name in available() for a in load(name).mapping.alarms]
    return {f"{a.text} {word}".strip() for a in alarms for _, word in a.raised}


def parameters(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    language.set_language("en")


@pytest.mark.parametrize("code", [code for code in language.languages() if code != "en"])
def test_every_sentence_is_translated(code: str) -> None:
    missing = sorted(all_keys() - set(language.catalogue(code)))
    assert not missing, f"{code}.json lacks {len(missing)}: {missing}"


@pytest.mark.parametrize("code", [code for code in language.languages() if code != "en"])
def test_no_translation_is_left_over(code: str) -> None:
    assert not sorted(set(language.catalogue(code)) - all_keys())


@pytest.mark.parametrize("code", [code for code in language.languages() if code != "en"])
def test_translations_take_the_same_parameters(code: str) -> None:
    for english, translated in language.catalogue(code).items():
        assert parameters(english) == parameters(translated), english


def test_a_finding_is_rendered_in_the_readers_language() -> None:
    parameters = {"cell": 13, "value_v": 2.95, "limit_v": 3.0}
    english = messages.render("limits.cell_under_voltage", parameters)
    assert english == "Cell 13 at 2.950 V is below its limit of 3.000 V"
    language.set_language("zh_CN")
    chinese = messages.render("limits.cell_under_voltage", parameters)
    assert "13" in chinese
    assert "2.950" in chinese
    assert chinese != english


def test_an_unknown_code_falls_back_to_its_stored_english() -> None:
    assert messages.render("future.code", {}, "Cell 3 hums") == "Cell 3 hums"
    assert messages.render("dips.one_cell", {"other": 1}, "A dip") == "A dip"
    assert messages.render("future.code") == "future.code"


def test_an_unknown_language_is_refused_with_the_choice() -> None:
    with pytest.raises(ValueError, match="choose one of en, zh_CN"):
        language.set_language("tlh")
