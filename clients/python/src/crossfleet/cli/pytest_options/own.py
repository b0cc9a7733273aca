"""The options of pytest itself, versions 7, 8 and 9, by their groups in `pytest --help`."""

from __future__ import annotations

from crossfleet.cli.pytest_options.option import Option, Value, left_out, passed, refused, rewritten, taken

_ONE, _OPTIONAL = Value.ONE, Value.OPTIONAL
_LOCAL = "`crossfleet run --local -- pytest ...` is pytest itself, in this terminal"
_NOTHING_RUNS = f"nothing would run: {_LOCAL}"
_CACHE = "works in place, with several workers too; a packed workspace carries no cache"

_SELECTION = (
    passed("-k", "selects, in each worker's collection", _ONE),
    passed("-m", "selects, in each worker's collection", _ONE),
    passed("--deselect", "", _ONE),
    passed("--ignore", "", _ONE),
    passed("--ignore-glob", "", _ONE),
    passed("--pyargs"),
    passed("--keepduplicates --keep-duplicates", "an id that occurs twice gets `#2`, `#3` ..."),
    passed("--continue-on-collection-errors"),
    passed("--confcutdir", "", _ONE),
    passed("--noconftest"),
    passed("--collect-in-virtualenv"),
    passed("--import-mode", "", _ONE),
    passed("--doctest-modules"),
    passed("--doctest-report", "", _ONE),
    passed("--doctest-glob", "", _ONE),
    passed("--doctest-ignore-import-errors"),
    passed("--doctest-continue-on-failure"),
    refused("--collect-only --collectonly --co", _NOTHING_RUNS),
    refused("--markers", _NOTHING_RUNS),
    refused("--fixtures --funcargs", _NOTHING_RUNS),
    refused("--fixtures-per-test", _NOTHING_RUNS),
    refused("--setup-plan --setupplan", _NOTHING_RUNS),
)

_COURSE = (
    taken("-x --exitfirst", "the whole run stops at its first failure", "max_failures", constant="1", kept=False),
    taken("--maxfail", "counts failures over all slots and targets", "max_failures", _ONE, kept=False),
    taken("--lf --last-failed", _CACHE, "cache", constant="--lf"),
    taken("--ff --failed-first", _CACHE, "cache", constant="--ff"),
    taken("--nf --new-first", _CACHE, "cache", constant="--nf"),
    passed("--lfnf --last-failed-no-failures", "", _ONE),
    taken(
        "--sw --stepwise",
        "the whole suite runs on one slot, in order, up to its first failure",
        "stepwise",
        constant="1",
    ),
    taken(
        "--sw-skip --stepwise-skip",
        "as --sw, up to the second failure",
        "stepwise",
        constant="2",
    ),
    taken("--sw-reset --stepwise-reset", "as --sw, from the first case on", "stepwise", constant="1"),
    passed("--cache-clear", "before collection, in each worker's folder"),
    refused("--cache-show", _NOTHING_RUNS, _OPTIONAL),
    passed("--runxfail"),
    passed("--setup-only --setuponly", "shows its lines in `crossfleet logs`"),
    passed("--setup-show --setupshow", "shows its lines in `crossfleet logs`"),
    refused("--pdb", f"a debugger needs the terminal: {_LOCAL}"),
    refused("--trace", f"a debugger needs the terminal: {_LOCAL}"),
    passed("--pdbcls", "without effect: there is no debugger on a fleet", _ONE),
)

_OUTPUT = (
    taken("-v --verbose", "more detail, also in what assertions show", "verbosity", constant="more"),
    taken("-q --quiet", "less detail", "verbosity", constant="less"),
    taken("--verbosity", "the level itself", "verbosity", _ONE),
    taken("--tb", "tracebacks are made in this style on the workers", "traceback_style", _ONE),
    taken("-r --report-chars", "which outcomes the summary lists", "show_reasons", _ONE),
    taken("--durations", "how many of the slowest cases the summary lists; 0: all", "durations", _ONE),
    taken("--durations-min", "seconds from which a case counts as slow", "durations_min", _ONE),
    taken("--color", "as --color of `crossfleet run`", "color", _ONE),
    taken("--no-header", "crossfleet prints none", "show_header", constant="no"),
    taken("--no-summary", "the verdict alone ends the report", "show_summary", constant="no"),
    taken("--show-capture", "which captured output the report of a failure shows", "show_capture", _ONE),
    taken("--junitxml --junit-xml", "one file for the whole run, as --junit", "junit", _ONE, kept=False),
    left_out("--junitprefix --junit-prefix", "crossfleet names the classes of its report by their files", _ONE),
    taken("-s", "output goes to `crossfleet logs`; refused on a terminal", "capture", constant="no"),
    taken("--capture", "fd and sys as always; `no` and `tee-sys` as -s", "capture", _ONE),
    passed("-l --showlocals"),
    passed("--no-showlocals"),
    passed("--full-trace --fulltrace"),
    passed("--xfail-tb"),
    passed("--code-highlight", "", _ONE),
    passed("--no-fold-skipped", "in the session's own summary, in `crossfleet logs`"),
    passed("--force-short-summary", "in the session's own summary, in `crossfleet logs`"),
    passed("--old-summary"),
    passed("--disable-warnings --disable-pytest-warnings"),
    passed("--max-warnings", "without effect on the verdict: each worker counts its own warnings", _ONE),
    passed("-W --pythonwarnings", "", _ONE),
    passed("--pastebin", "the end of the session sends its own summary", _ONE),
    passed("--log-level", "", _ONE),
    passed("--log-format", "", _ONE),
    passed("--log-date-format", "", _ONE),
    passed("--log-cli-level", "live lines go to `crossfleet logs`", _ONE),
    passed("--log-cli-format", "", _ONE),
    passed("--log-cli-date-format", "", _ONE),
    passed("--log-file", "all slots of a worker write to one file; their lines mix", _ONE),
    passed("--log-file-mode", "", _ONE),
    passed("--log-file-level", "", _ONE),
    passed("--log-file-format", "", _ONE),
    passed("--log-file-date-format", "", _ONE),
    passed("--log-auto-indent", "", _ONE),
    passed("--log-disable", "", _ONE),
)

_SETTINGS = (
    passed("-c --config-file", "its addopts count too", _ONE),
    passed("--rootdir", "", _ONE),
    passed("-o --override-ini", "", _ONE),
    passed("-p", "", _ONE),
    passed("--disable-plugin-autoload"),
    passed("--assert", "", _ONE),
    passed("--strict-config"),
    passed("--strict-markers"),
    passed("--strict"),
    passed("--trace-config --traceconfig", "in `crossfleet logs`"),
    passed("--debug", "a file in the folder of each worker", _OPTIONAL),
    rewritten("--basetemp", "each slot has the folder `popen-gwN` below it, as under xdist"),
    refused("-h --help", _NOTHING_RUNS),
    refused("-V --version", _NOTHING_RUNS),
)

OWN: tuple[Option, ...] = (*_SELECTION, *_COURSE, *_OUTPUT, *_SETTINGS)
