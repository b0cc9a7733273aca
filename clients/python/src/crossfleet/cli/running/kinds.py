"""Which kind of suite a command line is, from the words that people type: go test, node --test, npx vitest, ..."""

from __future__ import annotations

import os
from collections.abc import Sequence

from crossfleet.cli.exits import UsageError

GROUP = "crossfleet.runners"
OF_PROGRAMS = ("command", "go", "gtest", "catch2", "node", "vitest", "tap", "libtest")
"""Kinds whose first word is a program; the words of others mean what their plugins say."""
_STARTERS = (
    "npx",
    "npm",
    "pnpm",
    "pnpx",
    "yarn",
    "bun",
    "bunx",
    "exec",
    "dlx",
    "run",
    "x",
    "--",
    "--yes",
    "-y",
    "--no",
)
_VITEST_MODES_APART = ("bench", "list", "init", "related", "typecheck", "--version", "--help", "-h", "-v")
_GO_APART = """c fuzz exec C h help o outputdir coverprofile cpuprofile memprofile blockprofile mutexprofile
trace""".split()
"""One binary, or one file for all packages: several processes would write it over each other."""


def kind_of(words: Sequence[str]) -> str:
    """`go`, `node`, `vitest`, `gtest`, `libtest` or `tap`, where the words say so; else `command`."""
    program = os.path.basename(words[0])
    rest = list(words[1:])
    if program == "go" and rest[:1] == ["test"]:
        flags = {word.lstrip("-").partition("=")[0] for word in rest if word.startswith("-")}
        return "command" if flags.intersection(_GO_APART) else "go"
    if program in ("node", "nodejs") and "--test" in rest and "--watch" not in rest:
        return "node"
    if program == "cargo" and "test" in rest[:2] and "--no-run" not in rest:
        return "libtest"
    if program == "bats" and not {"-F", "--formatter", "-p", "--pretty"}.intersection(rest):
        return "tap"
    if any(word.startswith("--gtest_") for word in rest):
        return "gtest"
    return _vitest(words)


def check_known(runner: str) -> None:
    """Raises UsageError for a kind that is not installed here, and says which are."""
    from difflib import get_close_matches
    from importlib.metadata import entry_points

    known = sorted({entry.name for entry in entry_points(group=GROUP)})
    if runner not in known:
        near = get_close_matches(runner, known, 1)
        hint = f". Did you mean {near[0]}?" if near else ""
        raise UsageError(f"--runner {runner}: there is no such runner{hint}; there are {', '.join(known)}")


def _vitest(words: Sequence[str]) -> str:
    """What starts packages of JavaScript, then vitest, then `run` or nothing."""
    for index, word in enumerate(words):
        name = os.path.basename(word).partition("@")[0]
        if name in ("vitest", "vitest.mjs") and (index == 0 or os.path.basename(words[0]) in (*_STARTERS, "node")):
            rest = words[index + 1 :]
            apart = any(word.startswith("--coverage") for word in rest)  # one report for all files
            return "command" if apart or {*rest[:1]}.intersection(_VITEST_MODES_APART) else "vitest"
        if index and word not in _STARTERS:
            break
    return "command"
