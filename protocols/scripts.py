"""Words of other scripts in signal names, and names that a parser of DBC text can carry.

Databases from China and Japan name signals in their own words where their tools allow it. A word
list and a reversible spelling in ASCII; what the words mean for a pack is decided elsewhere.
"""

import re

# Longest first where one is part of another; the English side is in the words of `names.py`.
_WORDS = {
    "电池单体": "cell",
    "单体电芯": "cell",
    "单体电池": "cell",
    "单体": "cell",
    "單體": "cell",
    "电芯": "cell",
    "電芯": "cell",
    "セル": "cell",
    "ячейки": "cell",
    "ячейка": "cell",
    "电池组": "pack",
    "电池包": "pack",
    "蓄电池": "pack",
    "电池": "pack",
    "電池": "pack",
    "バッテリー": "pack",
    "バッテリ": "pack",
    "батареи": "pack",
    "总电压": "pack total voltage",
    "总压": "pack total voltage",
    "总电流": "pack total current",
    "总电量": "remaining charge",
    "总": "total",
    "電壓": "voltage",
    "電圧": "voltage",
    "电压": "voltage",
    "напряжение": "voltage",
    "電流": "current",
    "电流": "current",
    "ток": "current",
    "温度": "temperature",
    "溫度": "temperature",
    "температура": "temperature",
    "均衡": "balancing",
    "バランス": "balancing",
    "балансировка": "balancing",
    "压差": "voltage delta",
    "温差": "temperature delta",
    "最高": "max",
    "最大": "max",
    "最低": "min",
    "最小": "min",
    "平均": "avg",
    "荷电状态": "soc",
    "剩余电量": "soc",
    "残量": "soc",
    "健康状态": "soh",
    "健康度": "soh",
    "剩余": "remaining",
    "容量": "capacity",
    "充电机": "charger",
    "充电桩": "charger",
    "充电": "charge",
    "放电": "discharge",
    "允许": "limit",
    "限制": "limit",
    "限值": "limit",
    "阈值": "threshold",
    "门限": "threshold",
    "故障": "fault",
    "告警": "warning",
    "报警": "warning",
    "异常": "fault",
    "过压": "over voltage fault",
    "欠压": "under voltage fault",
    "过温": "over temperature fault",
    "编号": "id",
    "序号": "id",
    "位置": "id",
    "番号": "id",
    "个数": "count",
    "数量": "count",
    "次数": "count",
    "串数": "count",
    "循环": "cycle",
    "模块": "module",
    "模组": "module",
    "探头": "probe",
    "传感器": "probe",
    "状态": "state",
    "标志": "flag",
    "有效": "flag",
    "请求": "request",
    "指令": "command",
    "绝缘": "isolation",
    "电机": "motor",
    "電機": "motor",
    "环境": "ambient",
    "母线": "bus",
    "电阻": "resistance",
    "内阻": "resistance",
    "功率": "power",
    "能量": "energy",
    "时间": "time",
    "号": "",
    "第": "",
    "节": "",
}
_ANY = re.compile("|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True)), re.I)
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_SPELT = re.compile(r"_x([0-9a-f]{4,6})_")


def in_english(name: str) -> str:
    """The name with known words of other scripts in English, set off by underscores."""
    if name.isascii():
        return name
    return _ANY.sub(lambda found: f"_{_WORDS[found[0].lower()].replace(' ', '_')}_", name)


def spelt(name: str) -> str:
    """The name in ASCII: every other letter as its number."""
    return _FOREIGN.sub(lambda letter: f"_x{ord(letter[0]):04x}_", name)


def unspelt(name: str) -> str:
    """The name that `spelt` spelt."""
    return _SPELT.sub(lambda code: chr(int(code[1], 16)), name)
