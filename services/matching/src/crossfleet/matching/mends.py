"""What was probably meant by a selector that does not compile: other languages write the same otherwise."""

import re

from crossfleet.matching.quantity import parse_quantity

_OTHERWISE = (
    (re.compile(r"=>"), "write >="),
    (re.compile(r"=(?!=)"), "write == to compare"),
    (re.compile(r"&(?!&)|and\b", re.IGNORECASE), "write && for and"),
    (re.compile(r"\|(?!\|)|or\b", re.IGNORECASE), "write || for or"),
    (re.compile(r"is\b"), "write == to compare"),
)
_NOT = re.compile(r"\bnot\s*$")
_DIGIT_BEFORE = re.compile(r"(\d+(\.\d+)?)$")
_UNIT = re.compile(r"[A-Za-z]+")
_NUMBER_GIVEN = re.compile(r"\(\s*(\d+(\.\d+)*)\s*\)")
_TAKES_TEXT = re.compile(r"\b(quantity|version)$")
_OPEN_LIST = re.compile(r"\bin\s*\([^()\[\]]*$")
_COMPARED = re.compile(r"(==|!=|<=?|>=?|\bin\b|[\[,])\s*$")
_NEVER_LEFT = "use worker, device or devices"


def of_syntax(line: str, column: int) -> str:
    """How to write what stands at a column, from 1, of a line; empty where that is not known."""
    before, rest = line[: column - 1], line[column - 1 :]
    if rest.startswith(">") and before.endswith("<"):
        return "write != for unequal"
    if _NOT.search(before):
        return "write ! for not"
    number, unit = _DIGIT_BEFORE.search(before), _UNIT.match(rest)
    if number and unit:
        return _quantity(number[1], unit[0])
    given, takes = _NUMBER_GIVEN.match(rest), _TAKES_TEXT.search(before)
    if given and takes:
        return f'write {takes[1]}("{given[1]}")'
    if rest.startswith(",") and _OPEN_LIST.search(before):
        return "write a list in brackets, [...]"
    return next((mend for sign, mend in _OTHERWISE if sign.match(rest)), "")


def of_name(line: str, column: int, name: str, fields: tuple[str, ...]) -> str:
    """How to write a name that is no variable. `fields` are those of devices."""
    if name == "not":
        return "write ! for not"
    if _COMPARED.search(line[: column - 1]):
        return f'a text stands in quotes, "{name}"; {_NEVER_LEFT} without'
    if name in fields:
        return f"write device.{name}"
    return f"{_NEVER_LEFT}, and worker.labels.{name} for a label"


def _quantity(number: str, unit: str) -> str:
    text = f"{number}{unit.removesuffix('B')}"
    try:
        parse_quantity(text)
    except ValueError:
        return ""
    return f'write quantity("{text}")'
