# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The first step of a launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.retry_policy import DEFAULT
from airflow_provider_mkt.tasks.authored_templates import AuthoredTemplates
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy
    from typing_extensions import Unpack

    from airflow_provider_mkt.operators.preflight.findings import Findings
    from airflow_provider_mkt.tasks.parameters import AirflowParameters

    class PreflightParameters(AirflowParameters, total=False):
        """What it takes from Airflow."""

        multiple_outputs: bool


Step = Callable[["Findings"], None]


class PreflightOperator(AuthoredTemplates, BaseOperator):
    """Asks everything that can be asked without effect, for all steps of a launch, and shows all answers together.

    Put it before the first step: a launch that cannot finish then begins nothing. Steps that are not given are not
    asked about. For each one, its connection is tried; then

    - ``campaign``: Flow Living validates it (dry run);
    - ``posts``: their channels exist, the texts are short enough for the networks, and Flow Social
      would take each of them (the first 100 are sent to its preflight);
    - ``audience`` and ``segment_ids``: the file is read to its end; its custom fields and the segments exist;
    - ``integration_id``: FloKit has it, and it is connected;
    - ``report``: its form, type, days and name; its campaign exists.

    It fails with every problem in one message, and is not retried then; it is retried when all that is missing is a
    vendor's answer. Returns ``checked``, the steps.

    :param campaign: parameters of ``FlowLivingPublishCampaignOperator``, by name
    :param posts: parameters of ``FlowSocialSchedulePostOperator``, by name, one mapping a post
    :param audience: path of the audience file, as for ``FlodeskUpsertSubscribersOperator``
    :param segment_ids: Flodesk segments that people join
    :param integration_id: FloKit integration that is synced
    :param report: as for ``FlinqueGenerateReportOperator``
    :param flow_living_conn_id: connection for ``campaign``
    :param flow_social_conn_id: connection for ``posts``
    :param flodesk_conn_id: connection for ``audience`` and ``segment_ids``
    :param flokit_conn_id: connection for ``integration_id``
    :param flinque_conn_id: connection for ``report``
    :param retry_policy: which errors are worth a retry, and when
    """

    template_fields: Sequence[str] = (
        "campaign",
        "posts",
        "audience",
        "segment_ids",
        "integration_id",
        "report",
        "flow_living_conn_id",
        "flow_social_conn_id",
        "flodesk_conn_id",
        "flokit_conn_id",
        "flinque_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"campaign": "json", "posts": "json", "report": "json"}

    def __init__(
        self,
        *,
        campaign: Mapping[str, Any] | None = None,
        posts: Sequence[Mapping[str, Any]] | None = None,
        audience: str | None = None,
        segment_ids: Sequence[str] | None = None,
        integration_id: str | None = None,
        report: Mapping[str, Any] | None = None,
        flow_living_conn_id: str = "flow_living_default",
        flow_social_conn_id: str = "flow_social_default",
        flodesk_conn_id: str = "flodesk_default",
        flokit_conn_id: str = "flokit_default",
        flinque_conn_id: str = "flinque_default",
        retry_policy: RetryPolicy | None = DEFAULT,
        **kwargs: Unpack[PreflightParameters],
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.campaign = campaign
        self.posts = posts
        self.audience = audience
        self.segment_ids = segment_ids
        self.integration_id = integration_id
        self.report = report
        self.flow_living_conn_id = flow_living_conn_id
        self.flow_social_conn_id = flow_social_conn_id
        self.flodesk_conn_id = flodesk_conn_id
        self.flokit_conn_id = flokit_conn_id
        self.flinque_conn_id = flinque_conn_id

    def execute(self, context: Context) -> dict[str, list[str]]:
        """Ask, and fail with all that is wrong."""
        steps = self._steps()
        if not steps:
            raise ValidationError(
                "There is nothing to check: give campaign, posts, audience, integration_id or report."
            )
        with reschedule_when_rate_limited():
            findings = self.ask()
        findings.settle()
        self.log.info("Nothing stands in the way of: %s", ", ".join(steps))
        return {"checked": list(steps)}

    def ask(self) -> Findings:
        """Ask about all steps, and return what was found.

        :raises RateLimitError: when a vendor wants quiet
        """
        from airflow_provider_mkt.operators.preflight.findings import Findings

        findings = Findings()
        for ask in self._steps().values():
            ask(findings)
        return findings

    def _steps(self) -> dict[str, Step]:
        """Return the steps of the launch, in its usual order."""
        from airflow_provider_mkt.operators.preflight import flinque, flodesk, flokit, flow_living, flow_social

        found: dict[str, Step] = {}
        if self.integration_id is not None:
            found["integration"] = partial(flokit.integration, conn_id=self.flokit_conn_id, wanted=self.integration_id)
        if self.audience is not None or self.segment_ids:
            found["audience"] = partial(
                flodesk.audience, conn_id=self.flodesk_conn_id, path=self.audience, segment_ids=self.segment_ids or []
            )
        if self.campaign is not None:
            found["campaign"] = partial(flow_living.campaign, conn_id=self.flow_living_conn_id, wanted=self.campaign)
        if self.posts is not None:
            found["posts"] = partial(flow_social.posts, conn_id=self.flow_social_conn_id, wanted=self.posts)
        if self.report is not None:
            found["report"] = partial(flinque.report, conn_id=self.flinque_conn_id, wanted=self.report)
        return found
