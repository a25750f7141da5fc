"""The estimators that follow a stream, by name, one line each; all pass one compliance test."""

from types import ModuleType

from bms_studio.estimators import leak, resistance, sag, soc

ESTIMATORS: dict[str, ModuleType] = {
    "leak": leak,
    "resistance": resistance,
    "sag": sag,
    "soc": soc,
}
