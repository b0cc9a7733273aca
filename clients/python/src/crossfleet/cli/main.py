"""The `crossfleet` command: finds the subcommand and turns what goes wrong into one clear message and a status.

Only this module, `catalog`, `quiet` and the one subcommand are imported before a fleet is started.
"""

from __future__ import annotations

import errno
import sys

from crossfleet.cli import exits
from crossfleet.cli.catalog import COMMANDS
from crossfleet.cli.escaping import escape_unencodable
from crossfleet.cli.quiet import quiet_grpc
from crossfleet.cli.unheard import flush_all, open_missing, write_line


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line and answers its exit status; without arguments it is the process, which it ends."""
    if arguments is not None:
        return _run(arguments)
    open_missing()
    escape_unencodable()
    try:
        status = _run(sys.argv[1:])
    except SystemExit as ended:  # argparse has told something
        status = int(ended.code or exits.PASSED)
    if not flush_all():
        status = status or exits.FLEET
    if "grpc" in sys.modules:
        _end_process(status)
    return status


def _end_process(status: int) -> None:
    """Python takes gRPC and the messages apart for a tenth of a second, while a person waits."""
    import atexit
    import os

    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name
    os._exit(status)


def _run(words: list[str]) -> int:
    if len(words) > 1 and words[0] == "help":
        words = [*words[1:], "--help"]
    name, rest = (words[0], words[1:]) if words else ("help", [])
    try:
        return _call(name, rest) if words else _help(exits.USAGE)
    except exits.UsageError as error:
        _tell(f"crossfleet {name}: {error}")
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:  # `crossfleet ... | head`
        return exits.PASSED
    except Exception as error:  # noqa: BLE001 - the last line of defence decides by kind
        return _fault(name, rest, error)


def _call(name: str, rest: list[str]) -> int:
    if name in ("-h", "--help", "help"):
        return _help(exits.PASSED)
    name = "version" if name in ("-V", "--version") else name
    if name not in COMMANDS:
        return _unknown(name)
    from importlib import import_module

    quiet_grpc()
    return int(import_module(f"crossfleet.cli.commands.{COMMANDS[name][0]}").main(rest))


def _help(status: int) -> int:
    print(usage())
    return status


def _tell(text: str) -> None:
    write_line(text, sys.stderr)


def usage() -> str:
    """The help text: every command with one line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "crossfleet runs one test suite across a whole fleet of machines and gives one verdict.",
            "",
            "usage: crossfleet COMMAND [options]        crossfleet COMMAND --help tells more",
            "",
            *lines,
            "",
            "  crossfleet run -- pytest tests           run a suite on this machine's cores",
            "  crossfleet up                            keep a fleet; later runs on the same data folder join it",
            "",
            "Environment: CROSSFLEET_ADDRESS (of several coordinators: A,B,C) and CROSSFLEET_TOKEN_FILE name a fleet",
            "elsewhere, which may be away for CROSSFLEET_OUTAGE_SECONDS (60). CROSSFLEET_DATA is the data folder of a fleet here,",
            "for when no address is set; --data DIR wins over both.",
            "Exit status: 0 passed, 1 failed, 2 wrong usage, 3 the fleet's fault, 5 no tests collected, 130 interrupted.",
        ]
    )


def _unknown(name: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    if name in ("pytest", "python", "go", "node", "npx", "cargo", "--"):
        hint = f" Did you mean `crossfleet run -- {'' if name == '--' else name + ' '}...`?"
    _tell(f"crossfleet: there is no command {name!r}.{hint} `crossfleet --help` lists them.")
    return exits.USAGE


def _fault(name: str, rest: list[str], error: Exception) -> int:
    if isinstance(error.__cause__, KeyboardInterrupt):  # as Python disguises one that comes while it makes a class
        return exits.INTERRUPTED
    from crossfleet.cli.fleet.link import FleetFault

    if isinstance(error, FleetFault):
        _tell(f"crossfleet {name}: {error}")
        return exits.USAGE if error.wrong_settings else exits.FLEET
    from crossfleet.foundation.errors import CrossfleetError

    if isinstance(error, CrossfleetError):
        from crossfleet.cli.advice import explain_error

        _tell(f"crossfleet {name}: {explain_error(error)}")
        wrong = error.code.name in _WRONG_INPUT or error.reason in _WRONG_WISHES
        return exits.USAGE if wrong else exits.FLEET
    if isinstance(error, OSError) and error.filename is not None:
        _tell(f"crossfleet {name}: {error.strerror}: {error.filename}")
        return exits.USAGE
    if isinstance(error, FileNotFoundError) and _folder_is_gone():
        _tell(f"crossfleet {name}: the folder in which this shell is has been removed: go to another one")
        return exits.USAGE
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        _tell(f"crossfleet {name}: what is to be told cannot be written: {error.strerror}")
        return exits.FLEET
    text = str(error)
    if isinstance(error, ValueError) and text.startswith(_TOO_LARGE):
        _tell(f"crossfleet {name}: {_said(text.removeprefix(_TOO_LARGE), rest)} is out of range")
        return exits.USAGE
    import traceback

    traceback.print_exc()
    _tell(f"crossfleet {name}: this is a fault of crossfleet; please report the lines above.")
    return exits.FLEET


def _folder_is_gone() -> bool:
    import os

    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _said(number: str, words: list[str]) -> str:
    """A number as it was typed, with its option; what a file says has none."""
    for before, word in zip(["", *words], words, strict=False):
        if number in word:
            return f"{before} {word}" if word == number and before.startswith("-") else word
    return number


_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_TOO_LARGE = "Value out of range: "
"""So begins what messages say of a number that does not fit into its field."""
_WRONG_INPUT = frozenset(("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"))
_WRONG_WISHES = frozenset(("QUOTA_EXCEEDED",))
"""What is refused for it is refused again, until the request or what a project may have is another one."""

if __name__ == "__main__":
    sys.exit(main())
