# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Uploading media to Flow Social; import it from ``operators.flow_social``. Vendor documents: SDK reference and FAQ."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.endpoint import Upload
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.submitting import InstantOperator
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.submission.request import SubmissionRequest, TaskKey
    from airflow_provider_mkt.tasks.parameters import SubmittingParameters
    from airflow_provider_mkt.waiting.base import Verdict

CHUNK = 64 * 1024


class FlowSocialUploadMediaOperator(InstantOperator["FlowSocialHook"]):
    """Uploads a picture or a film for posts, once: a retry after a lost answer gets the first upload's key.

    Returns ``media_key``, for a post's ``media_keys``, and ``name``, ``size`` (bytes) and ``sha256``. Size and format
    are checked before anything is sent.

    :param path: the file: a local path, or whatever ``ObjectStoragePath`` opens. JPG, PNG, GIF, WebP, MP4 or MOV, at
        most 10 MB
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("path", "flow_social_conn_id")
    ui_color = flow_social.VENDOR.color
    vendor = flow_social.VENDOR

    def __init__(
        self,
        *,
        path: str | os.PathLike[str] | ObjectStoragePath,
        flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
        **kwargs: Unpack[SubmittingParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)
        self.path = path
        self._files = ExitStack()

    def execute(self, context: Context) -> Any:
        """Upload the file, and leave no copy of it behind."""
        with ExitStack() as self._files:
            return super().execute(context)

    def submission_request(self, task_key: TaskKey) -> SubmissionRequest:
        """Return the file, by its name, size and content."""
        from airflow_provider_mkt.submission.digest import file_digest
        from airflow_provider_mkt.submission.request import SubmissionRequest

        upload = self._local()
        upload = replace(upload, sha256=file_digest(upload.path))
        body = {"name": upload.path.name, "size": upload.path.stat().st_size, "sha256": upload.sha256}
        return SubmissionRequest(
            vendor=flow_social.VENDOR.name,
            what="media file",
            body=body,
            call=lambda _, key: flow_social.UPLOAD_MEDIA(file=upload, idempotency_key=key),
            receipt=lambda answer: {"media_key": answer["key"]},
            reference=task_key.reference,
            id_field="media_key",
        )

    def result(self, record: Record, verdict: Verdict | None) -> dict[str, Any]:
        """Return the key and what was uploaded."""
        return {"media_key": record.receipt["media_key"], **record.body}

    def _local(self) -> Upload:
        """Return the file, fetched into a temporary folder when it is not a local one."""
        from airflow_provider_mkt.hooks.flow_social.media import media_file, media_type_of

        if isinstance(self.path, (str, Path)) and "://" not in str(self.path):
            return media_file(self.path)
        from airflow.sdk import ObjectStoragePath

        from airflow_provider_mkt.files.paths import LOCAL, checked_path

        checked = checked_path("path", self.path)
        if checked.protocol in LOCAL:
            return media_file(checked.path)
        source = self.path if isinstance(self.path, ObjectStoragePath) else checked
        media_type = media_type_of(source.name)
        folder = Path(self._files.enter_context(tempfile.TemporaryDirectory(prefix="mkt-media-")))
        try:
            # The vendor is told the name, and the body of a repetition must be the same.
            return Upload(_fetched(source, folder / source.name), media_type)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            problem = f"path: {source} cannot be opened: {type(error).__name__}."
        raise ValidationError(problem)


def _fetched(source: ObjectStoragePath, target: Path) -> Path:
    from airflow_provider_mkt.hooks.flow_social.media import check_media_size

    check_media_size(source.name, source.stat().st_size)
    size = 0
    with source.open("rb") as remote, target.open("wb") as local:
        while block := remote.read(CHUNK):
            size += len(block)
            # It may have grown since it was looked at.
            check_media_size(source.name, size)
            local.write(block)
    check_media_size(source.name, size)
    return target
