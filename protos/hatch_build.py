"""Compiles the .proto files into gen/, with type stubs, when a wheel is built or `make protos` asks."""

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
ROOT = "crossfleet"
"""The namespace that other distributions share: it alone gets no __init__.py."""
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


class ProtoBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling names no public config type
    """Makes the generated code exist before hatchling looks for files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate for wheels; a source distribution carries the .proto files only."""
        if self.target_name == "wheel":
            generate(Path(self.root))


def generate(root: Path) -> list[Path]:
    """Bring root/gen up to date with root/crossfleet/**/*.proto and return what it holds.

    Everything is compiled beside gen/ first and moved file by file, so that a process which imports
    meanwhile meets the former file or the new one, never half of one. Raises SystemExit when protoc refuses.
    """
    protos = sorted(path.relative_to(root).as_posix() for path in (root / ROOT).rglob("*.proto"))
    gen = root / "gen"
    with tempfile.TemporaryDirectory(prefix=".gen-", dir=root) as scratch:
        fresh = Path(scratch)
        (fresh / ROOT).mkdir()
        if protos:
            compile_into(fresh, root, protos)
        mark_packages(fresh / ROOT)
        return replace(gen, fresh)


def compile_into(fresh: Path, root: Path, protos: list[str]) -> None:
    """Run protoc with the Python, gRPC and stub generators."""
    from grpc_tools import protoc

    scripts = os.pathsep.join([sysconfig.get_path("scripts"), str(Path(sys.executable).parent)])
    plugins = {name: shutil.which(name, path=scripts) or shutil.which(name) for name in PLUGINS}
    lost = [name for name, found in plugins.items() if found is None]
    if lost:
        raise SystemExit(f"{', '.join(lost)} not found: install mypy-protobuf into {sys.prefix}, or run `make setup`")
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={root}",
            f"--proto_path={Path(protoc.__file__).parent / '_proto'}",
            *(f"--plugin={name}={path}" for name, path in plugins.items()),
            f"--python_out={fresh}",
            f"--grpc_python_out={fresh}",
            f"--mypy_out=quiet:{fresh}",
            f"--mypy_grpc_out=quiet:{fresh}",
            *protos,
        ]
    )
    if status != 0:
        raise SystemExit(f"protoc refused the files above (status {status})")


def mark_packages(namespace: Path) -> None:
    """Make each folder under the namespace a package, and each area's top a typed one."""
    for folder in namespace.rglob("*"):
        if folder.is_dir():
            (folder / "__init__.py").touch()
    for area in namespace.iterdir():
        (area / "py.typed").touch()


def replace(gen: Path, fresh: Path) -> list[Path]:
    """Move what differs from fresh into gen, drop what is there no more, keep everything else as it is."""
    wanted = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
    for name in wanted:
        target = gen / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != (fresh / name).read_bytes():
            os.replace(fresh / name, target)
    for path in sorted(gen.rglob("*"), reverse=True):
        name = path.relative_to(gen)
        if path.is_file() and name not in wanted and "__pycache__" not in name.parts and path.name != ".complete":
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return [gen / name for name in wanted]


if __name__ == "__main__":
    generate(HERE)
