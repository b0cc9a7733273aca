"""TeamCity: service messages, https://www.jetbrains.com/help/teamcity/service-messages.html."""

from __future__ import annotations

from crossfleet.cli.reporting.ci.service import Problem, Service, one_line

_ESCAPES = {"|": "||", "'": "|'", "[": "|[", "]": "|]", "\n": "|n", "\r": "|r"}
_FAILED = "##teamcity[testStarted name='{0}']\n##teamcity[testFailed name='{0}' message='{1}' details='{2}']\n"


class TeamCity(Service):
    """Blocks, and failures as failed tests."""

    name = "teamcity"
    shows_colours = True
    most_annotations = 10_000

    def __init__(self) -> None:
        self._open: list[str] = []

    def opened(self, title: str) -> str:
        """A block."""
        self._open.append(_value(one_line(title)))
        return f"##teamcity[blockOpened name='{self._open[-1]}']"

    def closed(self) -> str:
        """Its end, by its name."""
        return f"##teamcity[blockClosed name='{self._open.pop()}']"

    def shielded(self, text: str) -> str:
        """Service messages in the text are spelt otherwise."""
        return text.replace("##teamcity[", "# #teamcity[")

    def annotation(self, problem: Problem) -> str:
        """A failed test."""
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        name = _value(one_line(problem.name))
        message = one_line(f"{problem.word} {problem.message}")
        return _FAILED.format(name, _value(message), _value(place)) + f"##teamcity[testFinished name='{name}']"


def _value(text: str) -> str:
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    code = ord(letter)
    # Beyond four digits there is no escape; UTF-8 is read as it is.
    return f"|0x{code:04X}" if (code < 0x20 and letter != "\t") or 0x7E < code <= 0xFFFF else letter
