# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What can go wrong with the store, in words for the person on call."""

from __future__ import annotations

from enum import Enum

from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class StoreFailure(Enum):
    """A kind of failure, and what to do about it."""

    UNREACHABLE = "cannot be reached; check that it runs and that [mkt] state_url is right"
    BUSY = "has no connection left; give its role more of them, or let fewer tasks run at once"
    NOT_ALLOWED = "refuses this user; check user, password and rights of [mkt] state_url"
    READ_ONLY = "is read-only; make it writable for the user that runs Airflow"
    EXPOSED = "can be read or written by every user of this host; let its owner run: chmod 600"
    FULL = "has no space left; free some"
    LOCKED = "was locked for too long; look for a long transaction, or a database that is overloaded"
    DAMAGED = "is damaged or not a database of this provider; move it away, a new one is made on the next use"
    NEWER = "was set up by a newer version of this provider; upgrade the package on this host"
    OLDER = (
        "lacks tables or columns that this version needs, and this user may not make them; run `airflow mkt db "
        "upgrade` with a [mkt] state_url whose user may"
    )
    MISCONFIGURED = "is configured wrongly: [mkt] state_url must be a URL for sqlite or postgresql"
    NO_URL = (
        "is not known: what gives [mkt] state_url failed or gave nothing; check the command of state_url_cmd, or the "
        "secrets backend and the name in state_url_secret"
    )
    NO_DRIVER = "needs a PostgreSQL driver; install psycopg2-binary or psycopg[binary]"
    NO_KEY = "cannot keep secrets without a valid [core] fernet_key; set one, the same on all hosts"
    OTHER_KEY = (
        "holds a secret that none of the keys in [core] fernet_key decrypts; add the former key at the end of the list"
    )
    FAILED = "failed"


class StoreError(AirflowException):
    """The shared state store cannot do its work.

    :param failure: what kind of failure it is
    :param where: which store, without credentials
    :param said: the database's own words
    """

    def __init__(self, failure: StoreFailure, where: str = "", said: str = "") -> None:
        place = f" ({where})" if where else ""
        super().__init__(f"The shared state store{place} {failure.value}." + (f" It said: {said}." if said else ""))
        self.failure = failure
        self.where = where
        self.said = said

    def __reduce__(self) -> tuple[type[StoreError], tuple[StoreFailure, str, str]]:
        return type(self), (self.failure, self.where, self.said)


# The beginnings of PostgreSQL's SQLSTATEs; the longer ones first.
BY_STATE = {
    "25006": StoreFailure.READ_ONLY,
    "42501": StoreFailure.NOT_ALLOWED,
    "53100": StoreFailure.FULL,
    "53300": StoreFailure.BUSY,
    "55P03": StoreFailure.LOCKED,
    "57014": StoreFailure.LOCKED,
    "25P03": StoreFailure.LOCKED,
    "3D000": StoreFailure.UNREACHABLE,
    "42P01": StoreFailure.DAMAGED,
    "42703": StoreFailure.DAMAGED,
    "08": StoreFailure.UNREACHABLE,
    "28": StoreFailure.NOT_ALLOWED,
    "40": StoreFailure.LOCKED,
    "57P": StoreFailure.UNREACHABLE,
}
# Words of SQLite, and of libpq where there is no SQLSTATE because there was no server.
BY_WORDS = {
    "readonly database": StoreFailure.READ_ONLY,
    "database or disk is full": StoreFailure.FULL,
    "database is locked": StoreFailure.LOCKED,
    "unable to open database": StoreFailure.UNREACHABLE,
    "file is not a database": StoreFailure.DAMAGED,
    "malformed": StoreFailure.DAMAGED,
    "no such table": StoreFailure.DAMAGED,
    "no such column": StoreFailure.DAMAGED,
    "disk i/o error": StoreFailure.DAMAGED,
    "too many connections": StoreFailure.BUSY,
    "too many clients": StoreFailure.BUSY,
    "remaining connection slots": StoreFailure.BUSY,
    "no more connections allowed": StoreFailure.BUSY,
    "password authentication failed": StoreFailure.NOT_ALLOWED,
    "no password supplied": StoreFailure.NOT_ALLOWED,
    "connect": StoreFailure.UNREACHABLE,
    "timeout expired": StoreFailure.UNREACHABLE,
    "could not translate host name": StoreFailure.UNREACHABLE,
    "failed to resolve host": StoreFailure.UNREACHABLE,
}


def classify(error: SQLAlchemyError, where: str) -> StoreError:
    """Return the error to raise for what SQLAlchemy raised; it quotes neither statements nor parameters."""
    if isinstance(error, PoolTimeoutError):
        return StoreError(StoreFailure.LOCKED, where, "all of this process's connections are in use")
    if not isinstance(error, DBAPIError):
        return StoreError(StoreFailure.FAILED, where, type(error).__name__)
    original = error.orig
    said = (str(original).strip().splitlines() or [type(original).__name__])[0]
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    failure = next((kind for code, kind in BY_STATE.items() if state.startswith(code)), None)
    if failure is None and not state:
        failure = next((kind for words, kind in BY_WORDS.items() if words in said.lower()), None)
    if failure is None and error.connection_invalidated:
        failure = StoreFailure.UNREACHABLE
    return StoreError(failure or StoreFailure.FAILED, where, said)
