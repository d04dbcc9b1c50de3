# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What can go wrong with the store, in words for the person on call."""

from __future__ import annotations

from enum import Enum

from airflow.sdk.exceptions import AirflowException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Trouble(Enum):
    """A kind of trouble, and what to do about it."""

    UNREACHABLE = "cannot be reached; check that it runs and that [mkt] state_url is right"
    NOT_ALLOWED = "refuses this user; check user, password and rights of [mkt] state_url"
    READ_ONLY = "is read-only; make it writable for the user that runs Airflow"
    FULL = "has no space left; free some"
    LOCKED = "was locked for too long; look for a long transaction, or a database that is overloaded"
    DAMAGED = "is damaged or not a database of this provider; move it away, a new one is made on the next use"
    NEWER = "was set up by a newer version of this provider; upgrade the package on this host"
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

    :param trouble: what kind of trouble it is
    :param where: which store, without credentials
    :param said: the database's own words
    """

    def __init__(self, trouble: Trouble, where: str = "", said: str = "") -> None:
        place = f" ({where})" if where else ""
        super().__init__(f"The shared state store{place} {trouble.value}." + (f" It said: {said}." if said else ""))
        self.trouble = trouble
        self.where = where
        self.said = said

    def __reduce__(self) -> tuple[type[StoreError], tuple[Trouble, str, str]]:
        return type(self), (self.trouble, self.where, self.said)


# The beginnings of PostgreSQL's SQLSTATEs; the longer ones first.
BY_STATE = {
    "25006": Trouble.READ_ONLY,
    "42501": Trouble.NOT_ALLOWED,
    "53100": Trouble.FULL,
    "53300": Trouble.UNREACHABLE,
    "55P03": Trouble.LOCKED,
    "57014": Trouble.LOCKED,
    "25P03": Trouble.LOCKED,
    "3D000": Trouble.UNREACHABLE,
    "42P01": Trouble.DAMAGED,
    "42703": Trouble.DAMAGED,
    "08": Trouble.UNREACHABLE,
    "28": Trouble.NOT_ALLOWED,
    "40": Trouble.LOCKED,
    "57P": Trouble.UNREACHABLE,
}
# Words of SQLite, and of libpq where there is no SQLSTATE because there was no server.
BY_WORDS = {
    "readonly database": Trouble.READ_ONLY,
    "database or disk is full": Trouble.FULL,
    "database is locked": Trouble.LOCKED,
    "unable to open database": Trouble.UNREACHABLE,
    "file is not a database": Trouble.DAMAGED,
    "malformed": Trouble.DAMAGED,
    "no such table": Trouble.DAMAGED,
    "no such column": Trouble.DAMAGED,
    "disk i/o error": Trouble.DAMAGED,
    "password authentication failed": Trouble.NOT_ALLOWED,
    "no password supplied": Trouble.NOT_ALLOWED,
    "connect": Trouble.UNREACHABLE,
    "timeout expired": Trouble.UNREACHABLE,
    "could not translate host name": Trouble.UNREACHABLE,
    "failed to resolve host": Trouble.UNREACHABLE,
}


def understand(error: SQLAlchemyError, where: str) -> StoreError:
    """Return the error to raise for what SQLAlchemy raised; it quotes neither statements nor parameters."""
    if isinstance(error, PoolTimeoutError):
        return StoreError(Trouble.LOCKED, where, "all of this process's connections are in use")
    if not isinstance(error, DBAPIError):
        return StoreError(Trouble.FAILED, where, type(error).__name__)
    original = error.orig
    said = (str(original).strip().splitlines() or [type(original).__name__])[0]
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    trouble = next((kind for code, kind in BY_STATE.items() if state.startswith(code)), None)
    if trouble is None and not state:
        trouble = next((kind for words, kind in BY_WORDS.items() if words in said.lower()), None)
    if trouble is None and error.connection_invalidated:
        trouble = Trouble.UNREACHABLE
    return StoreError(trouble or Trouble.FAILED, where, said)
