"""The options of plugins that many suites have."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.cli.pytest_options.option import Option, Value, left_out, passed, refused, rewritten, taken

_ONE, _OPTIONAL, _TWO = Value.ONE, Value.OPTIONAL, Value.TWO
_FLEET = "the fleet spreads the tests over its slots itself"
_ELSEWHERE = "-n NUMBER says how many slots; workers of other machines join the fleet: `crossfleet worker --join`"

_XDIST = (
    taken("-n --numprocesses", "so many slots a target; 0: the whole suite in order on one", "slots", _ONE, kept=False),
    taken("--dist", "loadscope, loadfile, loadgroup: what stays together on one slot", "grouping", _ONE, kept=False),
    taken("-d", "as --dist load", "grouping", constant="load", kept=False),
    left_out("--maxprocesses", _FLEET, _ONE),
    left_out("--max-worker-restart", "a case that kills its process is one crashed case, and the rest goes on", _ONE),
    left_out("--maxschedchunk", _FLEET, _ONE),
    left_out("--loadscope-reorder", _FLEET),
    left_out("--no-loadscope-reorder", _FLEET),
    left_out("--testrunuid", "crossfleet gives each session an id of its own", _ONE),
    refused("--tx", _ELSEWHERE, _ONE),
    refused("--px", _ELSEWHERE, _ONE),
    left_out("--rsyncdir", "workers of other machines get the whole workspace", _ONE),
    left_out("--rsyncignore", "what git ignores stays behind", _ONE),
    refused("-f --looponfail", "it never ends: run crossfleet again instead"),
)

_CROSSFLEET = (
    left_out("--fleet", "what runs is on a fleet already"),
    left_out("--fleet-slots", "the fleet has its slots already (--slots N)", _ONE),
)

_RERUNFAILURES = (
    taken(
        "--reruns",
        "the fleet runs a failed case again, with or without the plugin; in addopts the plugin does",
        "",
        _ONE,
        kept=False,
    ),
    taken("--reruns-delay", "with --reruns", "", _ONE, kept=False),
    passed("--reruns-delay-backoff-factor", "", _ONE),
    passed("--reruns-mode", "", _ONE),
    taken("--only-rerun", "with --reruns; an RE2 expression for the one-line message", "", _ONE, kept=False),
    refused(
        "--rerun-except",
        "the fleet knows --only-rerun alone; `crossfleet run --local -- pytest --rerun-except ...` is pytest itself",
        _ONE,
    ),
    passed("--rerun-exclude-path", "", _ONE),
    passed("--rerun-show-tracebacks"),
    passed("--force-reruns", "", _ONE),
    taken("--fail-on-flaky", "flaky cases make the run fail", "", kept=False),
    passed("--max-suite-reruns", "counted in each slot", _ONE),
)

_COV = (
    rewritten("--cov", "each process writes data of its own, which are combined at the end", _OPTIONAL),
    passed("--cov-reset"),
    passed("--cov-report", "", _ONE),
    passed("--cov-config", "", _ONE),
    passed("--no-cov-on-fail"),
    passed("--no-cov"),
    passed("--cov-fail-under", "", _ONE),
    passed("--cov-append"),
    passed("--cov-branch"),
    passed("--cov-precision", "", _ONE),
    passed("--cov-context", "", _ONE),
)

_TIMEOUT = (
    passed("--timeout", "the plugin's; `--case-timeout` of `crossfleet run` needs none and never misses", _ONE),
    passed("--timeout-method --timeout_method", "", _ONE),
    passed("--timeout-disable-debugger-detection"),
    passed("--session-timeout", "of each slot by itself; `--timeout` of `crossfleet run` is for the whole run", _ONE),
)

_RANDOMLY = (
    passed("--randomly-seed", "", _ONE),
    passed("--randomly-dont-reset-seed"),
    passed("--randomly-dont-reorganize"),
)

_INSTAFAIL = (passed("--instafail", "crossfleet shows failures at once anyway"),)

_SUGAR = (
    passed("--force-sugar", "draws in `crossfleet logs` alone"),
    passed("--sugar-trace-dir", "", _ONE),
    passed("--sugar-no-trace"),
)

_HTML = (
    passed("--html", "one file a worker, written at the end of its session", _ONE),
    passed("--self-contained-html"),
    passed("--css", "", _ONE),
    passed("--metadata", "", _TWO),
    passed("--metadata-from-json", "", _ONE),
    passed("--metadata-from-json-file", "", _ONE),
)

_ASYNCIO = (passed("--asyncio-mode", "", _ONE), passed("--asyncio-debug"))

_ANYIO = (passed("--anyio-mode", "", _ONE),)

_HYPOTHESIS = (
    passed("--hypothesis-profile", "", _ONE),
    passed("--hypothesis-verbosity", "", _ONE),
    passed("--hypothesis-show-statistics"),
    passed("--hypothesis-seed", "", _ONE),
    passed("--hypothesis-explain"),
)


def _of(plugin: str, options: tuple[Option, ...]) -> tuple[Option, ...]:
    return tuple(replace(option, plugin=plugin) for option in options)


PLUGINS: tuple[Option, ...] = (
    *_of("crossfleet", _CROSSFLEET),
    *_of("pytest-xdist", _XDIST),
    *_of("pytest-rerunfailures", _RERUNFAILURES),
    *_of("pytest-cov", _COV),
    *_of("pytest-timeout", _TIMEOUT),
    *_of("pytest-randomly", _RANDOMLY),
    *_of("pytest-instafail", _INSTAFAIL),
    *_of("pytest-sugar", _SUGAR),
    *_of("pytest-html", _HTML),
    *_of("pytest-asyncio", _ASYNCIO),
    *_of("anyio", _ANYIO),
    *_of("hypothesis", _HYPOTHESIS),
)
