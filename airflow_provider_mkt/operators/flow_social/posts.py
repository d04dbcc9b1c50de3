# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Scheduling many Flow Social posts. Vendor page "Batch operations"; import it from ``operators.flow_social``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_mkt import validation
from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.operators.submitting import RecordingOperator
from airflow_provider_mkt.operators.waiting import STOP, WaitingOperator
from airflow_provider_mkt.tasks.reschedule import reschedule_when_rate_limited
from airflow_provider_mkt.tasks.state_store import keep
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Unpack

    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.operators.flow_social.batch import BatchResult
    from airflow_provider_mkt.operators.flow_social.chunk import Row
    from airflow_provider_mkt.submission.record import Record
    from airflow_provider_mkt.tasks.parameters import SubmittingParameters
    from airflow_provider_mkt.waiting.base import Verdict
    from airflow_provider_mkt.waiting.flow_social import PostWatch

    class BatchParameters(SubmittingParameters, total=False):
        """What all take that schedule many posts."""

        chunk_size: int
        allow_failures: bool


STOPPABLE = "mkt.posts.stoppable"
"""Set when the posts may be deleted once the wait is over: they were scheduled from here, and the user wants it."""
SUMMARY = "mkt.posts"
"""Where the result is in the task state store while the task waits."""
SPELLINGS = {
    "channel_id": "channelId",
    "scheduled_for": "scheduledFor",
    "media_keys": "mediaKeys",
    "enable_optimization": "enableOptimization",
}
"""Names of the single-post operator and of database columns, for the vendor's fields."""


class SchedulesPosts(RecordingOperator["FlowSocialHook"], WaitingOperator["FlowSocialHook"]):
    """Base of what schedules many posts; a subclass says which (:meth:`source`).

    :param chunk_size: posts per request, at most 100; it must not change once posts were sent
    :param allow_failures: succeed although some rows were refused
    """

    vendor = flow_social.VENDOR

    def __init__(
        self,
        *,
        chunk_size: int = flow_social.MAX_IN_BATCH,
        allow_failures: bool = False,
        wait_for_completion: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(wait_for_completion=wait_for_completion, **kwargs)
        self.chunk_size = validation.count("chunk_size", chunk_size, most=flow_social.MAX_IN_BATCH)
        self.allow_failures = allow_failures

    def source(self) -> Callable[[], Iterable[Row]]:
        """Return what reads the rows, each time from the first one, in the order of every try.

        :raises ValidationError: naming what is wrong, before anything is sent
        """
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Schedule all that is not done yet, then wait or return."""
        from airflow_provider_mkt.operators.flow_social.batch import schedule
        from airflow_provider_mkt.operators.flow_social.chunk import Batch
        from airflow_provider_mkt.submission.desk import Desk
        from airflow_provider_mkt.submission.request import TaskKey

        with self.running(context):
            read = self.source()
            if self.wait_for_completion:
                read = _few(read())
            key = TaskKey.of(context, self.conn_id)
            batch = Batch(
                context["task_state_store"],
                key,
                self.hook,
                self.chunk_size,
                self.guard(context),
                resubmit=self.resubmit_asked(context),
                desk=Desk.of(context, self.hook.account, key, self.approval or ""),
            )

            def send() -> BatchResult:
                with reschedule_when_rate_limited():
                    return schedule(batch, read)

            outcome = self.when_approved(context, send)
            outcome.check(allow_failures=self.allow_failures)
            if outcome.refusals:
                self.log.warning("Not scheduled, and allowed to fail: %s", outcome.refusal)
            if outcome.record is None or not self.wait_for_completion or not outcome.done:
                return outcome.result()
            self.leave_to_the_original(outcome.record)
            verdict = self._follow(context, outcome, outcome.record)
        return self.conclude(context, verdict)

    def _follow(self, context: Context, outcome: BatchResult, record: Record) -> Verdict:
        from airflow_provider_mkt.waiting.flow_social import PostWatch

        keep(context["task_state_store"], SUMMARY, outcome.result())
        if self.on_timeout == STOP:
            keep(context["task_state_store"], STOPPABLE, True)
        ids = [each for each in outcome.ids if each is not None]
        return self.wait(PostWatch(ids, list(flow_social.DELIVERED), record.intent_at))

    def accepted(self, context: Context) -> None:
        """Return None: what is not yet waited for is not yet all sent."""

    def following(self, context: Context) -> PostWatch | None:
        """Return the posts that were scheduled from here; None when another deployment has scheduled them."""
        from airflow_provider_mkt.waiting.flow_social import PostWatch

        store = context["task_state_store"]
        summary: Any = store.get(SUMMARY) if store.get(STOPPABLE) else None
        ids = [each for each in (summary or {}).get("post_ids", ()) if each is not None]
        return PostWatch(ids, list(flow_social.DELIVERED)) if ids else None

    def conclude(self, context: Context, verdict: Verdict) -> dict[str, Any]:
        """Return the numbers and ids, or say what failed."""
        from airflow_provider_mkt.submission import messages
        from airflow_provider_mkt.waiting.base import WaitState

        result: Any = context["task_state_store"].get(SUMMARY)
        if result is None:
            raise AirflowFailException("The record of the posts is gone from the task state store.")
        if verdict.state is not WaitState.DONE:
            raise AirflowFailException(f"{verdict.message}. Nothing is scheduled again. {messages.resubmit_hint()}")
        return {**result, "status": verdict.status}


class FlowSocialSchedulePostsOperator(SchedulesPosts):
    """Schedules many posts, 100 to a request, each once. Only rows that are not done are ever sent again.

    Returns ``scheduled`` and ``refused`` (numbers) and, for up to 1,000 posts, ``post_ids`` by row. Rows that the
    vendor refuses do not keep the others waiting; in the end the task fails and lists them. Correct them and clear it.

    :param posts: the posts, see :meth:`FlowSocialHook.create_post`; fields may also be named like the parameters of
        :class:`FlowSocialSchedulePostOperator`. Rows must keep their places; new ones go to the end. There may be none
    :param chunk_size: posts per request, at most 100; it must not change once posts were sent
    :param allow_failures: succeed although some rows were refused
    :param flow_social_conn_id: connection
    """

    template_fields: Sequence[str] = ("posts", "flow_social_conn_id")
    template_fields_renderers = {"posts": "json"}  # noqa: RUF012 - Airflow's
    ui_color = flow_social.VENDOR.color

    def __init__(
        self,
        *,
        posts: Sequence[Mapping[str, Any]],
        flow_social_conn_id: str = flow_social.VENDOR.default_conn_id,
        **kwargs: Unpack[BatchParameters],
    ) -> None:
        super().__init__(conn_id=flow_social_conn_id, **kwargs)
        self.posts = posts

    def source(self) -> Callable[[], Iterable[Row]]:
        """Return the posts, checked, all of them before anything is sent."""
        posts = self.posts
        if isinstance(posts, (str, bytes, Mapping)) or not isinstance(posts, Iterable):
            raise ValidationError(
                f"posts must be a list of posts, got {type(posts).__name__}. A template gives text; hand over a task's "
                "output as it is, or set render_template_as_native_obj on the DAG."
            )
        rows = [row_of(f"posts[{index}]", post) for index, post in enumerate(posts)]
        return lambda: rows


def row_of(place: str, post: Any) -> Row:
    """Return a row for a post.

    :param place: what messages call it
    :param post: the post, its fields under either spelling
    :raises ValidationError: naming place and field
    """
    from airflow_provider_mkt.hooks.flow_social.posts import post_body
    from airflow_provider_mkt.operators.flow_social.chunk import Row

    if not isinstance(post, Mapping):
        return Row(place, post_body(post, place))
    named: dict[str, Any] = {}
    for name, value in post.items():
        field = SPELLINGS.get(str(name), str(name))
        if field in named:
            raise ValidationError(f"{place} has {field} twice, as {name!r} as well; keep one of them.")
        named[field] = value
    return Row(place, post_body(named, place))


def _few(rows: Iterable[Row]) -> Callable[[], Iterable[Row]]:
    """Return the rows, if they are not too many to be waited for; said before anything is sent."""
    from airflow_provider_mkt.operators.flow_social.batch import MAX_NAMED

    held = list(islice(rows, MAX_NAMED + 1))
    if len(held) > MAX_NAMED:
        raise ValidationError(
            f"wait_for_completion is for up to {MAX_NAMED:,} posts, and there are more. Leave it off, or split them."
        )
    return lambda: held
