"""The reader's language: English sentences looked up in resources/languages/<code>.json.

No Qt: commands and reports speak through the same catalogue as the window. The English template is
the key, so a sentence without a translation still reads well.
"""

import json
import locale
import os
from functools import cache
from importlib import resources

ENGLISH = "en"

# What people see in the language menu, each in its own script.
_NAMES = {ENGLISH: "English", "zh_CN": "简体中文"}
_current = ENGLISH


def languages() -> dict[str, str]:
    """Language codes and their own names, English first."""
    return dict(_NAMES)


def language() -> str:
    """The code in use."""
    return _current


def system_language() -> str:
    """The code that fits the system best; English where there is no translation."""
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    names.append(locale.getlocale()[0] or "")
    wanted = next((name for name in names if name), "")
    # Windows spells it "Chinese (Simplified)_China".
    if wanted.lower().startswith(("zh_cn", "zh-cn", "zh_sg", "zh_hans", "chinese (simp")):
        return "zh_CN"
    return ENGLISH


def set_language(code: str) -> None:
    """Speak `code` from now on; "" means the system's. ValueError for a language we lack."""
    global _current
    chosen = code or system_language()
    if chosen not in _NAMES:
        raise ValueError(f"no language '{code}': choose one of {', '.join(_NAMES)}")
    _current = chosen


@cache
def catalogue(code: str) -> dict[str, str]:
    """English template -> template in `code`; empty for English."""
    if code == ENGLISH:
        return {}
    place = resources.files("resources").joinpath("languages", f"{code}.json")
    return dict(json.loads(place.read_text(encoding="utf-8")))


def text(english: str, /, **parameters: object) -> str:
    """`english` in the current language, with `parameters` filled in (str.format)."""
    template = catalogue(_current).get(english, english)
    return template.format(**parameters) if parameters else template
