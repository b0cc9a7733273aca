"""Entry: run by path with the suite's own interpreter, ``python pytest_zygote.py SOCKET TOKEN [script|module]``.

What to run arrives over the socket. Guarded by ``__main__``, since multiprocessing's spawn imports this file again.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_PRIVATE_NAME = "_crossfleet_inside"


def _load_package() -> None:
    """Make this folder importable under a private name, without a place on ``sys.path``."""
    spec = importlib.util.spec_from_file_location(
        _PRIVATE_NAME, os.path.join(_HERE, "__init__.py"), submodule_search_locations=[_HERE]
    )
    if spec is None or spec.loader is None:
        raise SystemExit("crossfleet: {} is not complete".format(_HERE))
    module = importlib.util.module_from_spec(spec)
    sys.modules[_PRIVATE_NAME] = module
    spec.loader.exec_module(module)


def _settle_path(as_module: bool) -> None:
    """Replace this script's folder at the head of ``sys.path`` by what pytest's own start would have put there."""
    if sys.path and os.path.abspath(sys.path[0]) == _HERE:
        sys.path[0] = os.getcwd() if as_module else os.path.dirname(sys.executable)


if __name__ == "__main__":
    _load_package()
    zygote = importlib.import_module(_PRIVATE_NAME + ".zygote")
    sys.exit(zygote.main(sys.argv[1], sys.argv[2], _settle_path, *sys.argv[3:]))
