"""What a scheduler says of itself."""

from __future__ import annotations

from crossfleet.client.conformance.check import Check, Description, Level

_SECONDS = 5.0
_CHARACTERS = 200
_ABILITIES = frozenset(("gangs", "portions", "reservations", "revocation"))


def _prompt(seen: Description) -> str:
    return (
        ""
        if seen.seconds <= _SECONDS
        else f"it took {seen.seconds:.1f} s; the coordinator gives up after {_SECONDS:g} s"
    )


def _named(seen: Description) -> str:
    name = seen.first.name
    return (
        ""
        if 0 < len(name) <= _CHARACTERS
        else f"a name of 1 to {_CHARACTERS} characters is expected, not {name[:40]!r}"
    )


def _versioned(seen: Description) -> str:
    version = seen.first.version
    good = 0 < len(version) <= _CHARACTERS
    return "" if good else f"a version of 1 to {_CHARACTERS} characters is expected, not {version[:40]!r}"


def _steady(seen: Description) -> str:
    return "" if seen.first == seen.again else "two calls in a row were answered differently"


def _meanwhile(seen: Description) -> str:
    return "" if seen.first == seen.streaming else "while a stream was open it was answered differently"


def _whole(seen: Description) -> str:
    good = seen.first.snapshots_only or not seen.first.wants_fits
    return "" if good else "wants_fits is said without snapshots_only"


def _known(seen: Description) -> str:
    strange = sorted(set(seen.first.abilities) - _ABILITIES)
    return f"unknown: {', '.join(strange)}; there are {', '.join(sorted(_ABILITIES))}" if strange else ""


CHECKS = (
    Check("describe.prompt", "Describe answers within five seconds", "it counts as away", describes=_prompt),
    Check("describe.name", "Describe gives a name", "nobody can say which scheduler decides", describes=_named),
    Check(
        "describe.version",
        "Describe gives a version",
        "nobody can say which one decided",
        Level.SHOULD,
        describes=_versioned,
    ),
    Check("describe.steady", "Describe answers the same each time", "it is called for each stream", describes=_steady),
    Check(
        "describe.meanwhile",
        "Describe answers while a stream is open",
        "several coordinators may ask at once",
        describes=_meanwhile,
    ),
    Check(
        "describe.fits",
        "Who wants fits wants snapshots only",
        "deltas have no fits: it would know of no worker that is new",
        describes=_whole,
    ),
    Check(
        "describe.abilities",
        "Abilities are words that the protocol knows",
        "a slip is an ability that nobody uses",
        Level.SHOULD,
        describes=_known,
    ),
)
