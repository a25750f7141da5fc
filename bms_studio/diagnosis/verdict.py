"""The verdict that limits and plausibility alone can support, by stated rules.

STOP: a cell above its voltage limit, or a probe above its temperature limit, now. WATCH: any other
limit exceeded, or a repeated dip. Else NOT_ENOUGH_DATA: nothing here judges health, so nothing here
may say OK.
"""

from collections.abc import Iterable

from bms_studio.diagnosis.contract import Finding, Verdict

Item = tuple[str, dict[str, float | str | int]]

_STOP_CODES = ("limits.cell_over_voltage", "limits.over_temperature")
_NOT_CHECKED: tuple[Item, ...] = (("check.health", {}),)


def judge(findings: Iterable[Finding], checked: tuple[str, ...], has_data: bool) -> Verdict:
    """The verdict on the newest states of all findings; `checked`: checks that had data."""
    if not has_data:
        return Verdict(
            "NOT_ENOUGH_DATA",
            ("verdict.not_enough_data", {}),
            ("action.connect", {}),
            (),
            (("check.limits", {}), *_NOT_CHECKED),
        )
    done: tuple[Item, ...] = tuple((code, {}) for code in checked)
    active = [f for f in findings if f.state in ("active", "acknowledged")]
    for finding in active:
        if finding.code in _STOP_CODES and finding.severity == "stop":
            return Verdict(
                "STOP",
                (finding.code, finding.parameters),
                ("action.stop_charging", {}),
                done,
                _NOT_CHECKED,
            )
    order = {"stop": 0, "warn": 1, "watch": 2}
    notable = sorted((f for f in active if f.severity in order), key=lambda f: order[f.severity])
    if notable:
        worst = notable[0]
        return Verdict(
            "WATCH", (worst.code, worst.parameters), ("action.wait", {}), done, _NOT_CHECKED
        )
    return Verdict(
        "NOT_ENOUGH_DATA", ("verdict.limits_ok", {}), ("action.wait", {}), done, _NOT_CHECKED
    )
