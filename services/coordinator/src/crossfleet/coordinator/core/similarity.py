"""Which cases are alike, by their ids alone."""

from __future__ import annotations

SUITE = ""
"""What all cases of a suite have in common."""

_MOST = 10


def kin(case_id: str) -> tuple[str, ...]:
    """What a case shares with others, the closest first: function, class, file, folders, at last the suite.

    `a/test_b.py::T::test_c[1]` is like others of `a/test_b.py::T::test_c`, then of `a/test_b.py::T`, `a/test_b.py` and `a`.
    Ids of other runners are cut at their dots and slashes.
    """
    rest = case_id
    found = []
    bracket = rest.find("[")
    if bracket > 0:
        rest = rest[:bracket]
        found.append(rest)
    signs: tuple[str, ...] = ("/", ".", ":")
    while "::" in rest:
        rest = rest.rpartition("::")[0]
        found.append(rest)
        signs = ("/",)
    while len(found) < _MOST and (cut := max(rest.rfind(sign) for sign in signs)) > 0:
        rest = rest[:cut]
        found.append(rest)
    return (*found, SUITE)
