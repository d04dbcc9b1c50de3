# Licensed under the Apache License, Version 2.0; see LICENSE.
"""``@task.mkt_campaign``: a function that returns a campaign has it published at Flow Living, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from airflow_provider_mkt.decorators.base import SubmittingFunctionTask
from airflow_provider_mkt.operators.flow_living import CAMPAIGN, FlowLivingPublishCampaignOperator
from airflow_provider_mkt.vendors import flow_living

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk.bases.decorator import TaskDecorator
    from typing_extensions import Unpack

    from airflow_provider_mkt.tasks.parameters import SubmittingFunctionParameters

    class CampaignParameters(SubmittingFunctionParameters, total=False):
        """What the function may return as well."""

        agent_external_id: str | None
        campaign_start_date: datetime | str | None
        campaign_end_date: datetime | str | None
        budget_override: float | str | None
        order_ref: str | None
        target_statuses: Sequence[str] | str


class CampaignTask(SubmittingFunctionTask, FlowLivingPublishCampaignOperator):
    """Publishes the campaign that a function returns."""

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *FlowLivingPublishCampaignOperator.template_fields,
    )
    custom_operator_name = "@task.mkt_campaign"
    fields = (*CAMPAIGN, "order_ref")
    called = "a campaign"

    def __init__(
        self, *, plan_ref: str = "", listing_external_ids: Sequence[str] = (), branch_id: str = "", **kwargs: Any
    ) -> None:
        super().__init__(plan_ref=plan_ref, listing_external_ids=listing_external_ids, branch_id=branch_id, **kwargs)

    def take(self, value: Any) -> None:
        """Take an object with the campaign's parameters."""
        self.take_object(value)


def mkt_campaign(
    python_callable: Callable[..., Any] | None = None,
    *,
    plan_ref: str = "",
    listing_external_ids: Sequence[str] = (),
    branch_id: str = "",
    dry_run: bool | str = False,
    flow_living_conn_id: str = flow_living.VENDOR.default_conn_id,
    wait_for_completion: bool = True,
    deferrable: bool | None = None,
    **kwargs: Unpack[CampaignParameters],
) -> TaskDecorator:
    """Make a task of a function that returns a campaign: an object with parameters of the publishing operator.

    It is published once. A try that goes on from what an earlier one has sent does not call the function again.

    :param python_callable: the function
    :param plan_ref: reference of the media plan, unless the function returns one
    :param listing_external_ids: your ids of the listings, unless the function returns them
    :param branch_id: Flow's id of the branch, unless the function returns one
    :param dry_run: have the vendor validate the request and publish nothing
    :param flow_living_conn_id: connection
    :param wait_for_completion: succeed only when the campaign is live
    :param deferrable: wait in the triggerer instead of on a worker
    """
    return task_decorator_factory(
        python_callable,
        decorated_operator_class=CampaignTask,
        plan_ref=plan_ref,
        listing_external_ids=listing_external_ids,
        branch_id=branch_id,
        dry_run=dry_run,
        flow_living_conn_id=flow_living_conn_id,
        wait_for_completion=wait_for_completion,
        deferrable=deferrable,
        **kwargs,
    )
