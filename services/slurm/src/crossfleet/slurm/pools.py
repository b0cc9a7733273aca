"""The file of pools: TOML, one table a pool."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.matching.quantity import parse_quantity
from crossfleet.slurm.core.pool import Pool

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_OURS = frozenset(
    "--array --chdir --comment --cpus-per-task --error --exclusive --export --gres --job-name --mem --nodes --no-requeue"
    " --ntasks --output --parsable --requeue --signal --time --wait --wrap -a -c -D -e -J -N -n -o -t -W".split()
)
DEFAULT = Pool("slurm")
"""What there is without a file: the cluster's default partition."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pool as it is written; see Pool."""

    partition: str = ""
    constraint: str = ""
    slots: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 4
    cpu_cores: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    memory: str | int = 0
    minutes: Annotated[int, msgspec.Meta(ge=0)] = 0
    pilots: Annotated[int, msgspec.Meta(ge=1)] = 16
    gres: dict[str, str] = {}
    devices: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = {}
    labels: dict[str, str] = {}
    taints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def load_pools(file: str) -> tuple[Pool, ...]:
    """The pools of a file, in its order; without one the default. Raises ConfigurationInvalid, which names the key."""
    if not file:
        return (DEFAULT,)
    try:
        with Path(file).open("rb") as opened:
            content = tomllib.load(opened)
    except OSError as error:
        raise ConfigurationInvalid(f"cannot read the file of pools {file}: {error.strerror}", source=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"the file of pools {file} is not TOML: {error}", source=file) from error
    if not content:
        raise _wrong(file, "pools", "name at least one: [cpu]")
    return tuple(_pool(file, name, table) for name, table in content.items())


def _pool(file: str, name: str, table: object) -> Pool:
    if not _NAME.fullmatch(name):
        raise _wrong(file, name, "must be letters, digits, '.', '_' or '-', at most 63")
    if not isinstance(table, dict):
        raise _wrong(file, name, f"must be a table: write [{name}] on a line of its own")
    _check_keys(file, name, table)
    try:
        read = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        raise _wrong(file, name, str(error)) from error
    try:
        memory = parse_quantity(str(read.memory))
    except ValueError as error:
        raise _wrong(file, f"{name}.memory", str(error)) from error
    for option in read.options:
        word = option.partition("=")[0]
        if word in _OURS or not word.startswith("-"):
            raise _wrong(file, f"{name}.options", f"{word} is set by the bridge: see the other keys of a pool")
    for kind in read.devices:
        if kind not in read.gres:
            raise _wrong(file, f"{name}.devices.{kind}", f'say what Slurm calls it: gres = {{ {kind} = "{kind}" }}')
    return Pool(
        name=name,
        partition=read.partition,
        constraint=read.constraint,
        slots=read.slots,
        cpu_cores=read.cpu_cores,
        memory_bytes=memory,
        minutes=read.minutes,
        pilots=read.pilots,
        gres=read.gres,
        devices=read.devices,
        labels=read.labels,
        taints=read.taints,
        options=read.options,
    )


def _check_keys(file: str, name: str, table: dict[str, object]) -> None:
    known = _Table.__struct_fields__
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise _wrong(file, f"{name}.{key}", f"no such key; {hint}")


def _wrong(file: str, field: str, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"the file of pools {file} is wrong", fields=[FieldViolation(field, what)], source=file)
