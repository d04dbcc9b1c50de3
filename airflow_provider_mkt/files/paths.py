# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Paths that users name, checked before anything is read or written there."""

from __future__ import annotations

import errno
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

LOCAL = frozenset({"", "file", "local"})
"""Schemes of the worker's own disk."""
HOME = re.compile(r"^(?:(?:file|local)://)?(~[^/]*)(.*)$", re.DOTALL)
KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def checked_path(field: str, value: Any) -> ObjectStoragePath:
    """Return ``value`` as the path of a file on storage that Airflow can reach.

    :param field: what messages call it
    :param value: for example ``s3://my_conn@bucket/orders.jsonl``, ``gs://…``, ``file:///…`` or a plain path, which may
        begin with ``~``
    :raises ValidationError: when it names no file, holds a password, no installed package knows its scheme, or
        something else than a regular file is there
    """
    from airflow.sdk import ObjectStoragePath

    text = str(value) if isinstance(value, (ObjectStoragePath, Path)) else value
    text = expanded(field, validation.text(field, text, longest=2_048))
    if ":" in urlsplit(text).netloc.rpartition("@")[0]:
        raise ValidationError(f"{field} holds a password; keep it in an Airflow connection: s3://my_conn@bucket/file.")
    if text.endswith("/"):
        raise ValidationError(f"{field} must name a file, not a folder: {text}")
    try:
        path = ObjectStoragePath(text)
        path.fs  # noqa: B018 - looks for the package that knows the scheme
    except (ValueError, ImportError) as error:
        raise ValidationError(
            f"{field}: {error}. Install the Airflow provider of that storage, for example "
            "apache-airflow-providers-amazon[s3fs] for s3:// or apache-airflow-providers-google for gs://."
        ) from None
    if path.protocol in LOCAL:
        check_regular(field, Path(path.path))
    return path


def expanded(field: str, path: str) -> str:
    """Return a path with the home directory that it begins with (``~``, ``~name``) written out.

    :param field: what messages call it
    :param path: a path or URL; only one on the local disk can begin so
    :raises ValidationError: when there is no such home directory
    """
    found = HOME.match(path)
    if found is None:
        return path
    try:
        return f"{Path(found[1]).expanduser()}{found[2]}"
    except RuntimeError:
        raise ValidationError(f"{field}: there is no home directory {found[1]!r}; write the whole path.") from None


def check_link(field: str, path: Path, folder: Path | None = None) -> None:
    """Refuse a local path that is a link to a file outside of its folder: it may lead to what nobody meant to hand in.

    A link within the folder, or within a folder below it, is followed, and so are links to the folder itself.

    :param field: what messages call it
    :param path: the path
    :param folder: the folder that it must lie in; by default its own one
    :raises ValidationError: naming the link
    """
    if folder is None and not path.is_symlink():
        return
    if _in_a_circle(path) or (folder or path.parent).resolve() not in path.resolve().parents:
        raise ValidationError(f"{field}: {path} is a link to a file outside of its folder; name that file itself.")


def _in_a_circle(path: Path) -> bool:
    """Tell whether links lead back to themselves; some versions of Python resolve such a path without an error."""
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def check_regular(field: str, path: Path) -> None:
    """Refuse a local path at which there is something else than a regular file, such as a pipe: it may block for ever.

    :param field: what messages call it
    :param path: the path; a link counts as what it leads to
    :raises ValidationError: naming what is there
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        # Nothing is there; or whoever opens it says why it cannot be opened.
        return
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "special file")
        raise ValidationError(f"{field}: {path} is a {kind}, not a regular file; name a file.")
