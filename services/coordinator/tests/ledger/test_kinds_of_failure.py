"""What each failure of a database is taken for."""

import errno
import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from crossfleet.coordinator.ledger.failures import failure_of
from crossfleet.coordinator.ledger.store import StoreAway, StoreFailed, StoreFull, StoreLocked, StoreRefused


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", StoreFull),
        ("08006", StoreAway),
        ("25006", StoreAway),
        ("25P03", StoreAway),
        ("40001", StoreAway),
        ("40P01", StoreAway),
        ("53200", StoreAway),
        ("53300", StoreAway),
        ("57014", StoreAway),
        ("57P01", StoreAway),
        ("57P02", StoreAway),
        ("57P03", StoreAway),
        ("58030", StoreAway),
        ("55P03", StoreLocked),
        ("28P01", StoreRefused),
        ("3D000", StoreRefused),
        ("42501", StoreRefused),
        ("23505", StoreFailed),
        ("22P05", StoreFailed),
        ("XX001", StoreFailed),
    ],
)
def test_an_answer_of_postgresql_is_judged_by_its_sqlstate(state, kind):
    error = psycopg.errors.lookup(state)("told")

    assert type(failure_of(error)) is kind
    assert type(failure_of(OperationalError("INSERT", {}, error))) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("connection refused", StoreAway),
        ("server closed the connection unexpectedly", StoreAway),
        ("FATAL:  sorry, too many clients already", StoreAway),
        ("FATAL:  the database system is starting up", StoreAway),
        ('FATAL:  password authentication failed for user "x"', StoreRefused),
        ('FATAL:  database "x" does not exist', StoreRefused),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', StoreRefused),
        ("received invalid response to SSL negotiation: H", StoreRefused),
    ],
)
def test_a_connection_that_is_not_made_is_judged_by_the_words_of_the_server(text, kind):
    assert type(failure_of(psycopg.OperationalError(text))) is kind


def test_a_full_disk_is_recognised_wherever_it_shows():
    assert type(failure_of(OSError(errno.ENOSPC, "No space left on device"))) is StoreFull
    assert type(failure_of(sqlite3.OperationalError("disk I/O error"))) is StoreFailed
