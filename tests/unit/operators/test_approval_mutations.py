# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Whatever changes between an approval and its request: nothing unapproved is ever in the vendor's ledger.

Each case takes a task through random happenings: text, amount and file change, the connection does, the task is cleared
or retried, with ``resubmit`` or without, answers are given on a page that may be out of date, or elsewhere, vendors
refuse or drop answers, the shared store is away. A person approves what they read, by chance.

What must hold after each case:

1. Each request that reached the vendor has a body that a person has approved, for the host that they approved it for.
2. No effect happened more often than it was approved.
3. The register says who approved each launch.

``MKT_MUTATIONS`` is the number of changes, clears and retries; 10,000 take some minutes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, TaskAwaitingInput

from airflow_provider_mkt.client.endpoint import Upload
from airflow_provider_mkt.client.request import _multipart
from airflow_provider_mkt.exceptions import ApiError
from airflow_provider_mkt.operators.flow_living import FlowLivingPublishCampaignOperator
from airflow_provider_mkt.operators.flow_social import (
    FlowSocialSchedulePostOperator,
    FlowSocialSchedulePostsOperator,
    FlowSocialUploadMediaOperator,
)
from airflow_provider_mkt.sandbox.server import Sandbox
from airflow_provider_mkt.state.errors import StoreError, StoreFailure
from airflow_provider_mkt.state.launches.approvals import APPROVED, REFUSED, Approval, Approvals
from airflow_provider_mkt.state.launches.launch import ACCEPTED
from airflow_provider_mkt.state.launches.register import Register
from airflow_provider_mkt.submission import desk as desks
from airflow_provider_mkt.tasks import required_action
from tests.unit.context import Task
from tests.unit.people import People

pytestmark = pytest.mark.slow

MUTATIONS = int(os.environ.get("MKT_MUTATIONS", "200"))
STEPS = 12
"""Happenings in a case."""
KINDS = ("post", "posts", "campaign", "media")
TEXTS = ("first", "second", "third")
HOSTS = ("127.0.0.1", "localhost")
LAUNCHES = ("/posts", "/posts/batch", "/campaigns/publish", "/media/upload")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 422},
    {"kind": "drop_after"},
    {"kind": "drop_before"},
)


def content(text: str) -> bytes:
    return text.encode() * 50


def sent(body: Any) -> str:
    """Return the digest of a body as it is sent."""
    prepared: Any = requests.Request("POST", "http://vendor", json=body).prepare().body
    return hashlib.sha256(prepared).hexdigest()


class Case:
    """One task, what has become of its parameters, and what people have approved.

    :param seed: what is random in it
    :param approved: how often a person said yes, by host and digest of the body or file
    """

    def __init__(self, seed: int, vendors: Sandbox, folder: Path, connect: Callable[..., str]) -> None:
        self.random = random.Random(seed)
        self.vendors, self.connect, self.people = vendors, connect, People()
        self.task = Task(run_id=f"run_{seed}", retries=99)
        self.file = folder / "house.png"
        self.kind = KINDS[seed % len(KINDS)]
        self.text, self.resubmit = TEXTS[0], False
        self.wait: TaskAwaitingInput | None = None
        self.approved: Counter[tuple[str, str]] = Counter()
        self.mutated = 0
        self._use(HOSTS[0])

    def operator(self) -> Any:
        """Return the task as its DAG has it now."""
        common: dict[str, Any] = {"task_id": "publish", "approval": "required", "resubmit": self.resubmit}
        if self.kind == "post":
            return FlowSocialSchedulePostOperator(
                channel_id="channel_1", content=self.text, wait_for_completion=False, **common
            )
        if self.kind == "posts":
            posts = [{"channelId": "channel_1", "content": f"{self.text} {at}"} for at in range(4)]
            return FlowSocialSchedulePostsOperator(posts=posts, chunk_size=2, **common)
        if self.kind == "media":
            return FlowSocialUploadMediaOperator(path=str(self.file), **common)
        return FlowLivingPublishCampaignOperator(
            plan_ref="facebookv2",
            listing_external_ids=["listing_1001"],
            branch_id="branch_harbour",
            budget_override=100 + TEXTS.index(self.text),
            wait_for_completion=False,
            **common,
        )

    def run(self, event: dict[str, Any] | None = None) -> None:
        """Run a try, or resume the one that waits, to its end or its next question."""
        self.file.write_bytes(content(self.text))
        operator, wait, self.wait = self.operator(), self.wait, None
        context: Any = self.task.context
        with pytest.MonkeyPatch.context() as airflow:
            airflow.setattr(required_action, "put", self.people.put)
            try:
                if event is None or wait is None:
                    operator.execute(context)
                else:
                    arguments = {**(wait.kwargs or {}), "event": event}
                    operator.resume_execution(wait.method_name, arguments, context)
            except TaskAwaitingInput as asked:
                self.wait = asked
            except (ApiError, StoreError, AirflowFailException, AirflowRescheduleException):
                pass

    # What happens

    def change(self) -> None:
        """Somebody changes plan, template or file."""
        self.text = self.random.choice(TEXTS)
        self.mutated += 1

    def connection(self) -> None:
        """Somebody changes the connection."""
        self._use(self.random.choice(HOSTS))
        self.mutated += 1

    def clear(self) -> None:
        """Somebody clears the task, also while it waits."""
        self.resubmit = self.random.random() < 0.3
        self.task.clear()
        self._begin_again()

    def retry(self) -> None:
        """The worker dies, or the task fails, also while it waits."""
        self.task.retry()
        self._begin_again()

    def yes(self) -> None:
        """A person approves what Airflow's page shows, which may be out of date."""
        if (rows := self._asked()) and self.people.page is not None:
            if self.people.page.options[0] == f"Approve {rows[0].code[:12]}":
                self._approved(rows)
            self.run(self.people.yes())

    def elsewhere(self) -> None:
        """A person approves on the command line what is asked now."""
        if rows := self._asked():
            self._approved(rows)
            Approvals().answer(rows[0].ask, APPROVED, "ben", "", "command line")
            self.run(self.people.event("Ask again"))

    def no(self) -> None:
        """A person refuses."""
        if rows := self._asked():
            Approvals().answer(rows[0].ask, REFUSED, "ana", "no", "command line")
            self.run(self.people.event("Ask again"))

    def away(self) -> None:
        """The shared store is away when an answer arrives."""

        def fail(*_: Any, **__: Any) -> Any:
            raise StoreError(StoreFailure.UNREACHABLE)

        if rows := self._asked():
            self._approved(rows)
            Approvals().answer(rows[0].ask, APPROVED, "ben", "", "command line")
            with pytest.MonkeyPatch.context() as broken:
                broken.setattr(Approvals, self.random.choice(("approver", "find", "ask")), fail)
                broken.setattr(desks, "AWAY", desks.Away())
                self.run(self.people.event("Ask again"))

    def trouble(self) -> None:
        """The vendor refuses the next launch, or an answer is lost."""
        fault = dict(self.random.choice(FAULTS))
        for route in LAUNCHES:
            prefix = "/flow-living" if "campaigns" in route else "/flow-social/v1"
            self.vendors.fault(
                f"POST {prefix}{route}", fault["kind"], **{k: v for k, v in fault.items() if k != "kind"}
            )

    def _begin_again(self) -> None:
        self.mutated += 1
        self.wait = None
        self.run()

    def _use(self, host: str) -> None:
        for conn_type in ("flow_social", "flow_living"):
            there = str(self.vendors.connections[f"{conn_type}_default"]["host"])
            self.connect(conn_type, f"{conn_type}_default", host=there.replace(HOSTS[0], host))

    def _asked(self) -> list[Approval]:
        """Return what the task waits for; nothing when it does not wait."""
        return Approvals().find(beginning=(self.wait.kwargs or {})["ask"]) if self.wait else []

    def _approved(self, rows: list[Approval]) -> None:
        """Note what a person approves, as they read it."""
        for each in rows:
            shown = json.loads(each.request)
            what = shown["file"]["sha256"] if "file" in shown else sent(shown["body"])
            self.approved[str(urlsplit(shown["url"]).hostname), what] += 1

    # What came of it

    def check(self) -> None:
        """Hold what the vendors have seen against what was approved."""
        for each in self.vendors.requests():
            if each["path"].endswith(LAUNCHES) and each["method"] == "POST" and isinstance(each["body"], dict):
                host = each["headers"]["host"].partition(":")[0]
                assert self.kind == "media" or self.approved[host, sent(each["body"])], each
        wanted: Counter[str] = Counter()
        for (_, what), times in self.approved.items():
            wanted[what] += times
        effects = (e for e in self.vendors.ledger() if e["effect"] != "token.issued")
        happened = Counter((self._what(each), each["reference"]) for each in effects)
        assert all(times <= wanted[what] for (what, _), times in happened.items()), (happened, self.approved)
        accepted = Register().find([ACCEPTED], run_id=self.task.run_id)
        assert all(each.approved_by in ("ana", "ben") for each in accepted)

    def _what(self, effect: dict[str, Any]) -> str:
        """Return the digest of what had an effect: of the body, or of the file in it."""
        if effect["effect"] != "media.uploaded":
            return str(effect["body_sha256"])
        for text in TEXTS:
            self.file.write_bytes(content(text))
            body, _ = _multipart(Upload(self.file, "image/png"), effect["idempotency_key"])
            if hashlib.sha256(body.getvalue()).hexdigest() == effect["body_sha256"]:
                return hashlib.sha256(content(text)).hexdigest()
        raise AssertionError(f"no file has this content: {effect}")


HAPPENINGS: dict[Callable[[Case], None], int] = {
    Case.change: 5,
    Case.connection: 3,
    Case.clear: 3,
    Case.retry: 3,
    Case.yes: 6,
    Case.elsewhere: 4,
    Case.no: 1,
    Case.away: 1,
    Case.trouble: 2,
}


@pytest.mark.timeout(300 + MUTATIONS // 2)
@pytest.mark.usefixtures("approvals_store")
def test_nothing_unapproved_is_in_the_ledger(vendors: Sandbox, tmp_path: Path, connect: Callable[..., str]) -> None:
    mutated = seed = effects = 0
    while mutated < MUTATIONS:
        vendors.reset()
        vendors.limits({"*": None})
        case = Case(seed, vendors, tmp_path, connect)
        case.run()
        for happening in case.random.choices(list(HAPPENINGS), list(HAPPENINGS.values()), k=STEPS):
            happening(case)
        case.check()
        mutated, seed = mutated + case.mutated, seed + 1
        effects += len([each for each in vendors.ledger() if each["effect"] != "token.issued"])
    # The test would prove nothing if hardly anything were launched.
    assert effects > seed / 3
    print(f"{mutated} changes, clears and retries in {seed} cases, {effects} effects")  # noqa: T201 - a figure
