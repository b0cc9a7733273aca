"""What importing foundation costs, and that docs/errors.md is current."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crossfleet.foundation import errors_page

_ROOT = Path(__file__).parents[3]
_HEAVY = [
    "alembic",
    "fastapi",
    "httpx2",
    "obstore",
    "opentelemetry",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "structlog",
    "uvloop",
    "grpc_reflection.v1alpha",
    "cel_expr_python",
]
_ALL = [
    "serve",
    "channel",
    "errors.status",
    "config",
    "logs",
    "telemetry",
    "retry",
    "following.pursuit",
    "plugins",
    "lock",
    "filesystems",
    "breaker",
    "clock",
    "ids",
    "auth",
    "tls",
    "wait",
]


def test_importing_foundation_brings_nothing_heavy() -> None:
    names = ", ".join(f"crossfleet.foundation.{name}" for name in _ALL)
    code = f"import sys, {names}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert set(_HEAVY) & set(out.split()) == set()


def test_the_page_of_errors_is_current() -> None:
    page = errors_page.page((_ROOT / errors_page.PROTO).read_text())
    assert (_ROOT / errors_page.PAGE).read_text() == page, "run python -m crossfleet.foundation.errors_page"


def test_every_reason_is_documented() -> None:
    found = errors_page.reasons((_ROOT / errors_page.PROTO).read_text())
    assert len(found) > 80
    assert [name for _, name, comment in found if len(comment) < 20] == []


def test_a_page_that_is_not_current_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = tmp_path / errors_page.PROTO
    proto.parent.mkdir(parents=True)
    proto.write_text((_ROOT / errors_page.PROTO).read_text())
    monkeypatch.chdir(tmp_path)
    assert errors_page.main(["--check"]) == 1
    assert "not current" in capsys.readouterr().err
    assert errors_page.main([]) == 0
    assert errors_page.main(["--check"]) == 0
