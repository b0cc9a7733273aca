"""What is said in one line of a file that could not be collected."""

from __future__ import annotations

import pytest

from crossfleet.worker.translate import upward

SYNTAX = """importlib/__init__.py:126: in import_module
    return _bootstrap._gcd_import(name)
E     File "test_a.py", line 1
E       def test_a(:
E   SyntaxError: invalid syntax"""


@pytest.mark.parametrize(
    ("text", "said"),
    [(SYNTAX, "SyntaxError: invalid syntax"), ("\nfound no collectors for x\nmore", "found no collectors for x")],
)
def test_the_error_itself_is_told_and_not_who_imported_the_file(text: str, said: str) -> None:
    line = {"digest": "d", "allocation": "A", "cases": [], "errors": [{"id": "test_a.py", "message": text}]}
    (piece,) = upward.collected(line)
    assert [error.message for error in piece.errors] == [said]
