"""The page: template, style, script and data in one text. Only its own style and script run, by their hashes."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files

from crossfleet.cli.reporting.captured import written
from crossfleet.cli.reporting.html.contents import contents
from crossfleet.cli.running.results import RunResults

_SCRIPTS = ("model.js", "elements.js", "filters.js", "cases.js", "details.js", "matrix.js", "page.js")
# Nothing in the data may end the element that holds it, nor begin a comment.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def page(results: RunResults) -> str:
    """The report of a run as one HTML document."""
    style = _file("report.css")
    script = "\n".join(_file(name) for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = html.escape(written(f"{results.run.spec.suite.name} - {results.run.run_id}"))
    parts = {"POLICY": policy, "TITLE": title, "STYLE": style, "SCRIPT": script, "DATA": embedded(contents(results))}
    # In one pass, so that nothing that is put in is looked at again.
    pieces = _file("report.html").split("%%")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def embedded(data: object) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPES)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
