"""`crossfleet completion`: scripts that complete commands and options in bash, zsh and fish."""

from __future__ import annotations

import argparse
from importlib import import_module

from crossfleet.cli.catalog import COMMANDS
from crossfleet.cli.parsing import Parser

EXAMPLES = """
examples:
  source <(crossfleet completion bash)                       in ~/.bashrc
  source <(crossfleet completion zsh)                        in ~/.zshrc, after compinit
  crossfleet completion fish > ~/.config/fish/completions/crossfleet.fish
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `completion`."""
    made = Parser(
        "completion",
        description="Prints a completion script for a shell.",
        epilog=EXAMPLES,
    )
    made.add_argument("shell", choices=("bash", "zsh", "fish"))
    return made


def main(arguments: list[str]) -> int:
    """Prints the script; answers the exit status."""
    shell = parser().parse_args(arguments).shell
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](_options()))
    return 0


def _options() -> dict[str, list[tuple[str, str]]]:
    """Each command's long options with their help."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, (module, _) in COMMANDS.items():
        made: argparse.ArgumentParser = import_module(f"crossfleet.cli.commands.{module}").parser()
        found[name] = [
            (word, (action.help or "").split(";")[0])
            for action in made._actions  # noqa: SLF001 - argparse has no public way to list them
            for word in action.option_strings
            if word.startswith("--")
        ]
    return found


def _bash(options: dict[str, list[tuple[str, str]]]) -> str:
    cases = [f"        {name}) words='{' '.join(word for word, _ in each)}' ;;" for name, each in options.items()]
    return "\n".join(
        [
            "_crossfleet() {",
            '    local word="${COMP_WORDS[COMP_CWORD]}" words="" index',
            "    for ((index = 1; index < COMP_CWORD; index++)); do",
            '        if [[ ${COMP_WORDS[index]} == -- ]]; then COMPREPLY=($(compgen -o default -- "$word")); return; fi',
            "    done",
            '    case "${COMP_WORDS[1]}" in',
            *cases,
            "    esac",
            f"    [[ $COMP_CWORD -eq 1 ]] && words='{' '.join(options)}'",
            '    COMPREPLY=($(compgen -W "$words" -- "$word"))',
            "}",
            "complete -o bashdefault -o default -F _crossfleet crossfleet",
        ]
    )


def _zsh(options: dict[str, list[tuple[str, str]]]) -> str:
    commands = [f"        '{name}:{_quoted(COMMANDS[name][1])}'" for name in options]
    cases = [
        f"        {name}) _values -w option {' '.join(_zsh_word(word, text) for word, text in each)} ;;"
        for name, each in options.items()
    ]
    return "\n".join(
        [
            "_crossfleet() {",
            "    local -a commands=(",
            *commands,
            "    )",
            "    if (( CURRENT == 2 )); then _describe command commands; return; fi",
            "    if [[ $words[CURRENT] != -* ]]; then _files; return; fi",
            '    case "$words[2]" in',
            *cases,
            "    esac",
            "}",
            "compdef _crossfleet crossfleet",
        ]
    )


def _zsh_word(word: str, text: str) -> str:
    return f"'{word}[{_quoted(text).replace('[', '(').replace(']', ')')}]'"


def _fish(options: dict[str, list[tuple[str, str]]]) -> str:
    lines = []
    for name, each in options.items():
        text = _quoted(COMMANDS[name][1])
        lines.append(f"complete -c crossfleet -n __fish_use_subcommand -f -a {name} -d '{text}'")
        lines += [
            f"complete -c crossfleet -n '__fish_seen_subcommand_from {name}' -l {word[2:]} -d '{_quoted(text)}'"
            for word, text in each
        ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Fit to stand between single quotes in any of the shells."""
    return text.replace("'", "").replace("`", "").replace("\\", "").replace(":", ",")
