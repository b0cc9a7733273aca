"""What a failure of the database means: whether trying again helps, and who can help. Pure; imports no driver."""

from __future__ import annotations

import errno
import re

from crossfleet.coordinator.ledger.store import StoreAway, StoreFailed, StoreFull, StoreLocked, StoreRefused

# SQLSTATEs of PostgreSQL, whole or by their class of two characters.
_FULL = ("53100",)
_AWAY = (
    "08",  # the connection broke, or could not be made
    "25006",  # it has become a standby, which only reads
    "25P03",  # it ended a transaction that was silent for too long
    "40",  # serialization, deadlock
    "53",  # out of memory, too many connections
    "57",  # it shuts down, starts up, recovers, cancelled a statement, terminated the backend
    "58",  # its own files fail
)
_LOCKED = ("55P03",)
_REFUSED = (
    "28",  # user and password
    "3D000",  # no such database
    "3F000",  # no such schema
    "42501",  # a right is missing
)
# A server that refuses a connection gives the driver no SQLSTATE: there are only its (English) words.
_REFUSED_WORDS = re.compile(
    r"authentication failed|no password supplied|(database|role) \"[^\"]*\" does not exist|no pg_hba\.conf entry"
    r"|not permitted to log in|permission denied for database|certificate verify failed|root certificate file"
    r"|server does not support SSL|invalid connection option|invalid [a-z_]+ value"
    r"|received invalid response to (SSL|GSSAPI) negotiation|expected authentication request from server"
)


def failure_of(error: Exception) -> StoreFull | StoreFailed:
    """What a store raises for an error of SQLAlchemy, of a driver or of the system; the caller chains the error."""
    original = getattr(error, "orig", None)
    cause = original if isinstance(original, BaseException) else error
    state = str(getattr(cause, "sqlstate", None) or "")
    text = " ".join(str(cause).split())
    if _is_full(cause, state):
        return StoreFull(str(cause))
    if state.startswith(_LOCKED):
        return StoreLocked(text)
    if state.startswith(_REFUSED) or (not state and _REFUSED_WORDS.search(text)):
        return StoreRefused(text)
    if state.startswith(_AWAY) or (not state and _without_connection(cause)):
        return StoreAway(text)
    return StoreFailed(f"{type(cause).__name__}: {text}")


def _is_full(cause: BaseException, state: str) -> bool:
    return (
        (isinstance(cause, OSError) and cause.errno == errno.ENOSPC)
        or getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL"
        or state.startswith(_FULL)
    )


def _without_connection(cause: BaseException) -> bool:
    """PostgreSQL's driver tells of what is no answer of the server by the class of its error alone."""
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(cause).__mro__}
    return bool(kinds & {"psycopg.OperationalError", "psycopg.InterfaceError"})
