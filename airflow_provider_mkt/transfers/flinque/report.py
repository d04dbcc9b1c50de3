# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Transfer of Flinque's reports to object storage. Vendor document: Flinque Help Centre, "Developer API"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.files.atomic import AtomicFile
from airflow_provider_mkt.hooks.flinque import FlinqueHook
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.transfers.base import ToObjectStorageOperator
from airflow_provider_mkt.transfers.flinque.report_file import write_report
from airflow_provider_mkt.vendors import flinque
from airflow_provider_mkt.waiting.base import WaitState
from airflow_provider_mkt.waiting.flinque import ReportWatch

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import OperatorParameters


class FlinqueReportToObjectStorageOperator(ToObjectStorageOperator[FlinqueHook]):
    """Writes the file of a finished report, as Flinque made it. An older file at ``path`` is replaced.

    What arrives is checked as far as the ending of ``path`` tells what it should be: ``.csv``, ``.json``, ``.pdf``,
    ``.xlsx``, ``.zip``, each also with ``.gz``, which compresses it.

    :param report_id: the report; wait for it with ``FlinqueReportReadySensor``
    :param path: where to
    :param flinque_conn_id: connection
    """

    template_fields: Sequence[str] = ("report_id", "path", "flinque_conn_id")
    ui_color = flinque.VENDOR.color
    vendor = flinque.VENDOR

    def __init__(
        self,
        *,
        report_id: str,
        path: str | ObjectStoragePath,
        flinque_conn_id: str = FlinqueHook.default_conn_name,
        **kwargs: Unpack[OperatorParameters],
    ) -> None:
        super().__init__(path=path, conn_id=flinque_conn_id, **kwargs)
        self.report_id = report_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Export, and return ``report_id``, ``path`` and ``bytes``."""
        report_id, path = validation.text("report_id", self.report_id), self.destination()
        hook = self.hook
        with reschedule_when_rate_limited(), AtomicFile(path) as file:
            try:
                write_report(file, hook.export_report(report_id))
            except ApiError as error:
                raise self._early(report_id, error) or error from error.__cause__
            file.commit()
        result = {"report_id": report_id, "path": str(path), "bytes": file.size}
        return self.publish(context, f"flinque://{self.conn_id}/reports/{report_id}", result)

    def _early(self, report_id: str, error: ApiError) -> ApiError | None:
        """Return what to say when the report is not ready; a 404 may mean that as well, so the list is asked."""
        if error.status not in {*flinque.NOT_READY, 404}:
            return None
        verdict = self.hook.client.run(ReportWatch(report_id).poll())
        if error.status == 404 and verdict.state is not WaitState.PENDING:
            return None
        return ApiError(
            f"Report {report_id} is not ready ({verdict.status}). Put a FlinqueReportReadySensor before this task. "
            "Nothing was written.",
            vendor=error.vendor,
            method=error.method,
            path=error.path,
            status=error.status,
        )
