"""What a setting is, read off the annotated fields of a msgspec struct."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

ELIDED_SECTION = "server"
"""The section whose name does not appear in flags and variables: --listen, not --server-listen."""


def setting(
    description: str,
    *,
    live: bool = False,
    ge: float | None = None,
    le: float | None = None,
    pattern: str | None = None,
) -> msgspec.Meta:
    """The annotation of a setting: `Annotated[float, setting("..., in seconds.", ge=0)] = 15.0`.

    `live` says that a change takes effect at once; otherwise after a restart.
    """
    limits: dict[str, Any] = {"ge": ge, "le": le, "pattern": pattern}
    return msgspec.Meta(description=description, extra={"live": live}, **limits)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a service. `path` is its place in the TOML file, `type` the type with its constraints."""

    path: tuple[str, ...]
    type: Any
    default: Any
    description: str
    live: bool

    @property
    def name(self) -> str:
        """The dotted path, as errors and the API name it."""
        return ".".join(self.path)

    @property
    def words(self) -> tuple[str, ...]:
        """The path without the elided section."""
        return self.path[1:] if len(self.path) > 1 and self.path[0] == ELIDED_SECTION else self.path

    @property
    def flag(self) -> str:
        """The command line flag, `--lease-seconds`."""
        return "--" + "-".join(self.words).replace("_", "-")

    def variable(self, service: str) -> str:
        """The environment variable, `CROSSFLEET_WORKER_LEASE_SECONDS`."""
        return "_".join(("crossfleet", service, *self.words)).upper().replace("-", "_")

    @property
    def plain_type(self) -> Any:
        """The type without constraints and without `None`."""
        return without_none(without_constraints(self.type))

    @property
    def is_list(self) -> bool:
        """Whether the setting holds several values."""
        return typing.get_origin(self.plain_type) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values of a Literal; empty for every other type."""
        plain = self.plain_type
        return tuple(str(value) for value in typing.get_args(plain)) if typing.get_origin(plain) is Literal else ()


def describe(settings: type[msgspec.Struct], prefix: tuple[str, ...] = ()) -> tuple[Setting, ...]:
    """Every setting of a struct, nested structs flattened. Raises TypeError for a field without description or default."""
    return tuple(_settings(settings, prefix))


def _settings(struct: type[msgspec.Struct], prefix: tuple[str, ...]) -> Iterator[Setting]:
    hints = typing.get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        path = (*prefix, field.name)
        kind = hints[field.name]
        plain = without_constraints(kind)
        if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
            yield from _settings(plain, path)
            continue
        meta = _meta(kind)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if meta is None or not meta.description or default is msgspec.NODEFAULT:
            raise TypeError(f"the setting {struct.__name__}.{field.name} needs a description and a default")
        yield Setting(path, kind, default, meta.description, bool((meta.extra or {}).get("live")))


def without_constraints(kind: Any) -> Any:
    """`Annotated[X, ...]` as X."""
    return kind.__origin__ if hasattr(kind, "__metadata__") else kind


def without_none(kind: Any) -> Any:
    """`X | None` as X."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        rest = [argument for argument in typing.get_args(kind) if argument is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _meta(kind: Any) -> msgspec.Meta | None:
    return next((item for item in getattr(kind, "__metadata__", ()) if isinstance(item, msgspec.Meta)), None)
