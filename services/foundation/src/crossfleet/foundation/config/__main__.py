"""Prints the reference page of a service's settings: `python -m crossfleet.foundation.config crossfleet.worker.config:Settings worker`."""

from __future__ import annotations

import argparse
import importlib
import sys

from crossfleet.foundation.config.page import reference_page


def main(argv: list[str] | None = None) -> int:
    """Prints the page as Markdown; exit status 2 when there is no such struct."""
    parser = argparse.ArgumentParser(prog="python -m crossfleet.foundation.config")
    parser.add_argument("settings", help="MODULE:STRUCT")
    parser.add_argument("service", help="name of the service, as in its environment variables")
    arguments = parser.parse_args(argv)
    module, _, name = arguments.settings.partition(":")
    try:
        struct = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        parser.error(f"no settings {arguments.settings}: {error}")
    sys.stdout.write(reference_page(arguments.service, struct))
    return 0


if __name__ == "__main__":
    sys.exit(main())
