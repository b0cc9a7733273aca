"""What every test of every member gets: tools on PATH, named skips for those that are missing, a clean environment."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent
TOOLS = {
    "buf": "make setup installs it",
    "cargo": "install it from your system, or by rustup",
    "etcd": "tools/install_etcd fetches or builds it",
    "git": "install it from your system",
    "go": "install it from your system",
    "grpcurl": "tools/install_grpcurl builds it",
    "ip": "install iproute2",
    "mvn": "install Maven and a JDK from your system",
    "node": "install it from your system",
    "npm": "install it from your system",
    "uv": "make setup installs it",
}
"""Programs that tests may ask for by a marker needs_<tool>, and where to get each."""
OPTIONAL = ("cargo", "mvn")
"""Those that may be missing in CI too."""

# Tests start processes while gRPC is in use: its handlers around a fork may wait for each other for ever.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# A shell starts what it puts into the background without SIGINT, nohup without SIGHUP, and all that is started by that inherits it.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
# A test that took long on a busy machine has found nothing.
hypothesis.settings.register_profile("crossfleet", deadline=None)
hypothesis.settings.load_profile("crossfleet")
os.environ["PATH"] = os.pathsep.join([str(ROOT / ".tools/bin"), str(ROOT / ".venv/bin"), os.environ.get("PATH", "")])


def pytest_configure(config: pytest.Config) -> None:
    """Declare a marker for each tool."""
    for tool in TOOLS:
        config.addinivalue_line("markers", f"needs_{tool}: skipped where {tool} is missing, failed there under CI=true")


@cache
def starts(tool: str) -> bool:
    """Whether what may be no more than a launcher (rustup's cargo) has something to launch."""
    return subprocess.run([tool, "--version"], check=False, capture_output=True).returncode == 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose tool is missing, by name; in CI a missing tool is a failure."""
    for marker in item.iter_markers():
        tool = marker.name.removeprefix("needs_")
        if tool == marker.name or tool not in TOOLS:
            continue
        if shutil.which(tool) and (tool not in OPTIONAL or starts(tool)):
            continue
        missing = f"{tool} is not here: {TOOLS[tool]}"
        if os.environ.get("CI") == "true" and tool not in OPTIONAL:
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)


HOSTS_OF_THE_TESTS = frozenset(
    ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION", "BUILDKITE", "JENKINS_URL")
) | frozenset(("FORCE_COLOR", "PY_COLORS"))
"""Variables by which a report learns who reads it."""


@pytest.fixture(autouse=True, scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the fleet, settings, data folder and CI service of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("CROSSFLEET_", "OTEL_")) or name in HOSTS_OF_THE_TESTS:
                patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        yield
