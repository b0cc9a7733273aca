"""Settings from their sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from crossfleet.foundation.config import describe, load, load_with_sources, reference_page, setting
from crossfleet.foundation.config.__main__ import main as page_command
from crossfleet.foundation.errors import ConfigurationInvalid
from crossfleet.foundation.serve import ServerSettings


class Cache(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section."""

    size_bytes: Annotated[int, setting("How large it may grow, in bytes.", ge=0)] = 100


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All kinds of settings."""

    lease_seconds: Annotated[float, setting("How long a silent worker keeps its work.", live=True, ge=1)] = 15.0
    labels: Annotated[tuple[str, ...], setting("Labels, NAME=VALUE.")] = ()
    isolated: Annotated[bool, setting("Whether to work on a copy.")] = False
    mode: Annotated[Literal["fast", "safe"], setting("Which way to go | or not.")] = "safe"
    name: Annotated[str | None, setting("A name of 100 % choice.")] = None
    cache: Cache = Cache()
    server: ServerSettings = ServerSettings()


def _load(*argv: str, **environment: str) -> Settings:
    return load(Settings, service="worker", argv=argv, environment=environment)


def test_defaults_hold_when_nothing_is_said() -> None:
    assert _load() == Settings()


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "worker.toml"
    file.write_text(
        'lease_seconds = 20\nname = "file"\nmode = "fast"\n[cache]\nsize_bytes = 7\n[server]\nlisten = ["a:1"]\n'
    )
    settings = _load(
        "--name",
        "flag",
        CROSSFLEET_WORKER_CONFIG=str(file),
        CROSSFLEET_WORKER_NAME="env",
        CROSSFLEET_WORKER_MODE="safe",
    )
    assert settings == Settings(
        lease_seconds=20.0,
        name="flag",
        mode="safe",
        cache=Cache(size_bytes=7),
        server=ServerSettings(listen=("a:1",)),
    )


def test_each_setting_names_the_source_that_won(tmp_path: Path) -> None:
    file = tmp_path / "worker.toml"
    file.write_text('name = "file"\nmode = "fast"\n[cache]\nsize_bytes = 7\n')
    _, sources = load_with_sources(
        Settings,
        service="worker",
        argv=["--config", str(file), "--name", "flag"],
        environment={"CROSSFLEET_WORKER_MODE": "safe"},
    )
    assert sources == {"name": "flag", "mode": "environment", "cache.size_bytes": "file"}


def test_every_kind_of_value_can_be_a_flag() -> None:
    settings = _load(
        "--labels",
        "a=1",
        "--labels",
        "b=2",
        "--isolated",
        "--mode",
        "fast",
        "--cache-size-bytes",
        "5",
        "--listen",
        "h:1",
    )
    assert settings.labels == ("a=1", "b=2")
    assert settings.isolated
    assert settings.mode == "fast"
    assert settings.cache.size_bytes == 5
    assert settings.server.listen == ("h:1",)
    assert not _load("--no-isolated", CROSSFLEET_WORKER_ISOLATED="true").isolated


def test_every_kind_of_value_can_be_a_variable() -> None:
    settings = _load(
        CROSSFLEET_WORKER_LABELS="a=1, b=2",
        CROSSFLEET_WORKER_ISOLATED="yes",
        CROSSFLEET_WORKER_CACHE_SIZE_BYTES="5",
        CROSSFLEET_WORKER_LISTEN="h:1",
    )
    assert settings.labels == ("a=1", "b=2")
    assert settings.isolated
    assert settings.cache.size_bytes == 5
    assert settings.server.listen == ("h:1",)


@pytest.mark.parametrize(
    ("argv", "environment", "name", "source"),
    [
        (["--lease-seconds", "soon"], {}, "lease_seconds", "flag --lease-seconds"),
        ([], {"CROSSFLEET_WORKER_LEASE_SECONDS": "0.5"}, "lease_seconds", "variable CROSSFLEET_WORKER_LEASE_SECONDS"),
        (["--cache-size-bytes", "-1"], {}, "cache.size_bytes", "flag --cache-size-bytes"),
        ([], {"CROSSFLEET_WORKER_MODE": "slow"}, "mode", "variable CROSSFLEET_WORKER_MODE"),
        ([], {"CROSSFLEET_WORKER_ISOLATED": "perhaps"}, "isolated", "variable CROSSFLEET_WORKER_ISOLATED"),
    ],
)
def test_a_wrong_value_is_named_with_its_source(
    argv: list[str], environment: dict[str, str], name: str, source: str
) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        _load(*argv, **environment)
    assert [field.path for field in caught.value.fields] == [name]
    assert source in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("lease_second = 3", "did you mean lease_seconds?"),
        ("[cache]\nsize = 3", "did you mean cache.size_bytes?"),
        ('lease_seconds = "3"', "lease_seconds"),
        ("lease_seconds =", "is not TOML"),
        ("cache = 3", "cache"),
    ],
)
def test_a_wrong_file_is_named_with_the_setting(tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "worker.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationInvalid) as caught:
        _load("--config", str(file))
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"/no/such/file"):
        _load("--config", "/no/such/file")


def test_unknown_flags_end_as_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _load("--lease-secnds", "3")
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.endswith("there is no flag --lease-secnds. Did you mean --lease-seconds?\n")
    assert len(told.splitlines()) == 2


def test_help_tells_each_setting_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _load("--help")
    text = capsys.readouterr().out
    assert "How long a silent worker keeps its work. [15.0]" in text
    assert "100 % choice" in text


def test_the_reference_page_says_when_a_change_takes_effect() -> None:
    page = reference_page("worker", Settings)
    assert "| `lease_seconds` | `--lease-seconds` `CROSSFLEET_WORKER_LEASE_SECONDS` | float | 15.0 | at once |" in page
    assert "| `server.listen` | `--listen` `CROSSFLEET_WORKER_LISTEN` | several str | none | after a restart |" in page
    assert "fast or safe" in page


def test_a_setting_without_description_is_refused() -> None:
    class Mute(msgspec.Struct):
        size: int = 3

    with pytest.raises(TypeError, match=r"Mute\.size needs a description"):
        describe(Mute)


def test_two_settings_with_one_flag_are_refused() -> None:
    class Twice(msgspec.Struct, frozen=True):
        listen: Annotated[str, setting("Where.")] = ""
        server: ServerSettings = ServerSettings()

    with pytest.raises(TypeError, match="share the flag --listen"):
        load(Twice, service="x", argv=[], environment={})


def test_the_reference_page_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert page_command(["crossfleet.foundation.serve:ServerSettings", "echo"]) == 0
    assert "| `drain_seconds` | `--drain-seconds` `CROSSFLEET_ECHO_DRAIN_SECONDS` |" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        page_command(["no.such.module:Settings", "echo"])
    assert caught.value.code == 2
