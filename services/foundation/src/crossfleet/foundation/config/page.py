"""The reference page of a service's settings."""

from __future__ import annotations

import typing
from typing import Any

import msgspec

from crossfleet.foundation.config.load import show_default
from crossfleet.foundation.config.model import Setting, describe


def reference_page(service: str, settings: type[msgspec.Struct]) -> str:
    """A Markdown table of all settings: flag, variable, TOML name, type, default, when a change takes effect."""
    lines = [
        f"# Settings of the {service}",
        "",
        "Defaults < TOML file (`--config FILE`) < environment < flags.",
        "",
        "| setting | flag and variable | type | default | takes effect | what it does |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(item, service) for item in describe(settings)]
    return "\n".join(lines) + "\n"


def _row(item: Setting, service: str) -> str:
    cells = [
        f"`{item.name}`",
        f"`{item.flag}` `{item.variable(service)}`",
        _type_text(item),
        show_default(item.default),
        "at once" if item.live else "after a restart",
        item.description,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _type_text(item: Setting) -> str:
    if item.choices:
        return " or ".join(item.choices)
    plain: Any = item.plain_type
    if item.is_list:
        return f"several {typing.get_args(plain)[0].__name__}"
    return str(getattr(plain, "__name__", plain))
