"""What the Makefile, the lock file and the code generator promise."""

import importlib.util
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(
    [
        *ROOT.glob("services/*/pyproject.toml"),
        *ROOT.glob("clients/python/pyproject.toml"),
        ROOT / "protos/pyproject.toml",
    ]
)
GREETING = """
syntax = "proto3";
package crossfleet.api.probe.v1;
message Greeting { string text = 1; }
"""


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crossfleet_hatch_build", ROOT / "protos/hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    for name in ("probe", "other"):
        folder = tmp_path / "crossfleet/api" / name / "v1"
        folder.mkdir(parents=True)
        (folder / f"{name}.proto").write_text(GREETING.replace("probe", name))
    return tmp_path


def test_the_lock_pins_every_line_by_hash_and_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert re.findall(r"\w+://|file:|index-url", lock) == []
    pinned = re.findall(r"^([a-z0-9._-]+)==[^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", lock, re.MULTILINE))


def test_the_lock_holds_what_each_member_declares() -> None:
    lock = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    declared = {
        re.split(r"[\[<>=!~;\s]", requirement)[0].lower()
        for project in PROJECTS
        for requirement in tomllib.loads(project.read_text())["project"]["dependencies"]
    }
    assert {name for name in declared if not name.startswith("crossfleet-")} - lock == set(), "run make lock"


def test_set_up_installs_every_member_and_all_have_one_version() -> None:
    members = [project.parent.relative_to(ROOT).as_posix() for project in PROJECTS]
    for file in ("tools/set_up", "Makefile"):
        text = (ROOT / file).read_text()
        assert [member for member in members if member not in text] == [], file
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {tomllib.loads(project.read_text())["project"]["version"] for project in PROJECTS} == {whole["version"]}


def test_an_old_python_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/set_up", tmp_path / "tools")
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        [tmp_path / "tools/set_up"], env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "needs Python 3.11 or newer (Python 3.9.2)" in done.stderr
    assert "PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_lists_every_target() -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    assert targets == set(re.findall(r"^  make (\S+)", shown, re.MULTILINE))
    assert {"setup", "demo", "test", "lint", "protos", "bench"} <= targets


def test_every_disabled_rule_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    rules = text[text.index("\nignore = [") : text.index("[tool.ruff.lint.per-file-ignores]")].splitlines()
    assert [line for line in rules if re.match(r'^    "[A-Z]+\d*",', line) and "#" not in line] == []
    assert sum('",' in line for line in rules) > 10


def test_generated_code_has_stubs_and_leaves_the_namespace_open(generator: ModuleType, protos: Path) -> None:
    generator.generate(protos)
    gen = protos / "gen/crossfleet"
    assert not (gen / "__init__.py").exists()
    assert (gen / "api/py.typed").exists()
    assert {path.name for path in (gen / "api/probe/v1").iterdir()} >= {
        "__init__.py",
        "probe_pb2.py",
        "probe_pb2.pyi",
        "probe_pb2_grpc.py",
    }


def test_generating_again_touches_only_what_changed(generator: ModuleType, protos: Path) -> None:
    generator.generate(protos)
    kept = protos / "gen/crossfleet/api/other/v1/other_pb2.py"
    before = kept.stat()
    source = protos / "crossfleet/api/probe/v1/probe.proto"
    source.write_text(source.read_text().replace("Greeting", "Farewell"))
    generator.generate(protos)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "Farewell" in (protos / "gen/crossfleet/api/probe/v1/probe_pb2.pyi").read_text()


def test_the_code_of_a_deleted_proto_goes_with_it(generator: ModuleType, protos: Path) -> None:
    generator.generate(protos)
    shutil.rmtree(protos / "crossfleet/api/other")
    generator.generate(protos)
    assert not (protos / "gen/crossfleet/api/other").exists()


def test_a_proto_that_does_not_compile_leaves_the_former_code(generator: ModuleType, protos: Path) -> None:
    former = set(generator.generate(protos))
    (protos / "crossfleet/api/probe/v1/probe.proto").write_text("not a proto")
    with pytest.raises(SystemExit, match="protoc refused"):
        generator.generate(protos)
    assert {path for path in former if path.exists()} == former


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_tool_is_a_named_skip_and_a_failure_in_ci(
    ci: str, outcome: type[BaseException], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    assert conftest is not None
    request.node.add_marker("needs_grpcurl")
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(outcome, match="grpcurl is not here: tools/install_grpcurl builds it"):
        conftest.pytest_runtest_setup(request.node)
