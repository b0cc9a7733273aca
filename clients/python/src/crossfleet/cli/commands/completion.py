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


Words = dict[str, list[tuple[str, str]]]
"""What may follow a command, each with its help: commands that it holds, else its long options."""


def _options() -> Words:
    found: Words = {}
    for name, (module, _) in COMMANDS.items():
        package = import_module(f"crossfleet.cli.commands.{module}")
        held: dict[str, str] = getattr(package, "COMMANDS", {}) if hasattr(package, "__path__") else {}
        if held:
            found[name] = list(held.items())
            for each in held:
                found[f"{name} {each}"] = _long_options(import_module(f"{package.__name__}.{each}").parser())
        else:
            found[name] = _long_options(package.parser())
    return found


def _long_options(made: argparse.ArgumentParser) -> list[tuple[str, str]]:
    return [
        (word, (action.help or "").split(";")[0])
        for action in made._actions  # noqa: SLF001 - argparse has no public way to list them
        for word in action.option_strings
        if word.startswith("--")
    ]


def _within(options: Words) -> list[str]:
    """Commands that are held by others, each with its holder."""
    return [name for name in options if " " in name]


def _bash(options: Words) -> str:
    cases = [f"        '{name}') words='{' '.join(word for word, _ in each)}' ;;" for name, each in options.items()]
    within = "|".join(f"'{name}'" for name in _within(options))
    return "\n".join(
        [
            "_crossfleet() {",
            '    local word="${COMP_WORDS[COMP_CWORD]}" words="" at="${COMP_WORDS[1]}" index',
            "    for ((index = 1; index < COMP_CWORD; index++)); do",
            '        if [[ ${COMP_WORDS[index]} == -- ]]; then COMPREPLY=($(compgen -o default -- "$word")); return; fi',
            "    done",
            '    [[ $COMP_CWORD -gt 2 ]] && case "$at ${COMP_WORDS[2]}" in',
            f'        {within}) at="$at ${{COMP_WORDS[2]}}" ;;',
            "    esac",
            '    case "$at" in',
            *cases,
            "    esac",
            f"    [[ $COMP_CWORD -eq 1 ]] && words='{' '.join(COMMANDS)}'",
            '    COMPREPLY=($(compgen -W "$words" -- "$word"))',
            "}",
            "complete -o bashdefault -o default -F _crossfleet crossfleet",
        ]
    )


def _zsh(options: Words) -> str:
    commands = [f"        '{name}:{_quoted(text)}'" for name, (_, text) in COMMANDS.items()]
    cases = [
        f"        '{name}') _values -w word {' '.join(_zsh_word(word, text) for word, text in each)} ;;"
        for name, each in options.items()
    ]
    within = _within(options)
    holders = "|".join(dict.fromkeys(name.partition(" ")[0] for name in within))
    return "\n".join(
        [
            "_crossfleet() {",
            "    local -a commands=(",
            *commands,
            "    )",
            "    if (( CURRENT == 2 )); then _describe command commands; return; fi",
            '    local at="$words[2]"',
            f'    if (( CURRENT > 3 )) && [[ "$at" == ({holders}) ]]; then at="$at $words[3]"; fi',
            f'    if [[ "$words[CURRENT]" != -* && "$at" != ({holders}) ]]; then _files; return; fi',
            '    case "$at" in',
            *cases,
            "    esac",
            "}",
            "compdef _crossfleet crossfleet",
        ]
    )


def _zsh_word(word: str, text: str) -> str:
    return f"'{word}[{_quoted(text).replace('[', '(').replace(']', ')')}]'"


def _fish(options: Words) -> str:
    lines = [
        f"complete -c crossfleet -n __fish_use_subcommand -f -a {name} -d '{_quoted(text)}'"
        for name, (_, text) in COMMANDS.items()
    ]
    held = _within(options)
    for name, each in options.items():
        holder, _, own = name.partition(" ")
        seen = f"__fish_seen_subcommand_from {holder}"
        if own:
            seen += f"; and __fish_seen_subcommand_from {own}"
        siblings = " ".join(one.partition(" ")[2] for one in held if one.startswith(f"{name} "))
        for word, text in each:
            if siblings:
                where = f"{seen}; and not __fish_seen_subcommand_from {siblings}"
                lines.append(f"complete -c crossfleet -n '{where}' -f -a {word} -d '{_quoted(text)}'")
            else:
                lines.append(f"complete -c crossfleet -n '{seen}' -l {word[2:]} -d '{_quoted(text)}'")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Fit to stand between single quotes in any of the shells."""
    return text.replace("'", "").replace("`", "").replace("\\", "").replace(":", ",")
