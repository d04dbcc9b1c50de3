# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate limits: strict windows, token buckets, headers, overrides."""

from __future__ import annotations

import time
from urllib.error import HTTPError

import pytest

from airflow_provider_mkt.sandbox.engine.limits import Limit, RateLimits
from airflow_provider_mkt.sandbox.server import Sandbox
from tests.unit.sandbox.vendors import POST, Caller


class Timer:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_sliding_window_never_lets_more_through() -> None:
    timer = Timer()
    limits = RateLimits({"a": Limit(3, 60.0)}, timer)
    accepted: list[float] = []
    for step in range(400):
        timer.now = 1000.0 + step * 0.9
        if limits.take(["a"], "x")[1]:
            accepted.append(timer.now)
    assert len(accepted) >= 3 * 5
    for index in range(3, len(accepted)):
        assert accepted[index] - accepted[index - 3] >= 60.0


def test_a_full_bucket_charges_no_other() -> None:
    timer = Timer()
    limits = RateLimits({"all": Limit(10), "few": Limit(1)}, timer)
    assert limits.take(["all", "few"], "x")[1]
    reading, accepted = limits.take(["all", "few"], "x")
    assert not accepted
    assert reading is not None
    assert reading.wait == pytest.approx(60.0)
    left = limits.peek("all", "x")
    assert left is not None
    assert left.remaining == 9
    assert limits.take(["all", "few"], "y")[1], "another caller has buckets of its own"


def test_token_bucket_grants_the_burst_and_refills() -> None:
    timer = Timer()
    limits = RateLimits({"a": Limit(60, 60.0, burst=100)}, timer)
    assert sum(limits.take(["a"], "x")[1] for _ in range(150)) == 100
    timer.now += 10
    assert sum(limits.take(["a"], "x")[1] for _ in range(150)) == 10
    timer.now += 1000
    assert sum(limits.take(["a"], "x")[1] for _ in range(150)) == 100


@pytest.mark.parametrize(
    ("path", "bucket", "names"),
    [
        (
            "/flow-social/v1/posts",
            "flow_social.default",
            ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"],
        ),
        ("/flodesk/v1/segments", "flodesk.default", ["X-Fd-RateLimit-Limit", "X-Fd-RateLimit-Remaining"]),
        ("/flokit/v1/workspace", "flokit.workspace", []),
        (
            "/flinque/v1/campaigns",
            "flinque.starter",
            ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"],
        ),
    ],
)
def test_headers_and_refusals(sandbox: Sandbox, call: Caller, path: str, bucket: str, names: list[str]) -> None:
    call.credentials(path)
    sandbox.limits({bucket: {"limit": 3, "window": 60}})
    answers = [call("GET", path) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    for answer in answers:
        assert [name for name in answer.headers if "ratelimit" in name.lower()] == names
    waits = "flodesk" not in path
    assert [answer.headers.get("Retry-After") is not None for answer in answers] == [False] * 3 + [waits] * 2
    if names:
        assert [answer.headers[names[1]] for answer in answers] == ["2", "1", "0", "0", "0"]
        assert answers[0].headers[names[0]] == "3"


def test_flow_social_reset_is_in_epoch_seconds(call: Caller) -> None:
    answer = call("POST", "/flow-social/v1/posts", json=POST)
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("30", "29")
    assert 58 <= int(answer.headers["X-RateLimit-Reset"]) - time.time() <= 62


@pytest.mark.slow
def test_waiting_as_told_is_enough(sandbox: Sandbox, call: Caller) -> None:
    sandbox.limits({"flow_social.default": {"limit": 2, "window": 1.0}})
    answers = [call("GET", "/flow-social/v1/posts") for _ in range(3)]
    refused = answers[2]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert refused.json()["error"]["retry_after"] == int(refused.headers["Retry-After"]) == 1
    time.sleep(int(refused.headers["Retry-After"]))
    assert call("GET", "/flow-social/v1/posts").status_code == 200


def test_advancing_the_clock_frees_no_window(sandbox: Sandbox, call: Caller) -> None:
    sandbox.limits(flokit__workspace={"limit": 1})
    assert call("GET", "/flokit/v1/workspace").status_code == 200
    sandbox.advance(3600)
    assert call("GET", "/flokit/v1/workspace").status_code == 429


def test_flow_living_counts_by_client_and_tells_nothing(sandbox: Sandbox, call: Caller) -> None:
    sandbox.limits(flow_living__default={"limit": 2})
    assert call.publish().status_code == 202
    refused = call.publish()
    assert (refused.status_code, list(refused.json())) == (429, ["error"])
    assert not [name for name in refused.headers if "rate" in name.lower() or name == "Retry-After"]
    assert len(sandbox.ledger(effect="campaign.published")) == 1


def test_flodesk_batches_count_apart(sandbox: Sandbox, call: Caller) -> None:
    sandbox.limits({"flodesk.batch": {"limit": 1}})
    body = {"subscribers": [{"email": "a@example.com"}]}
    codes = [call("POST", "/flodesk/v1/subscribers/batch", json=body).status_code for _ in range(2)]
    assert codes == [200, 429]
    assert call("GET", "/flodesk/v1/segments").headers["X-Fd-RateLimit-Remaining"] == "99"


def test_workspace_shares_one_budget(sandbox: Sandbox, call: Caller) -> None:
    second = sandbox.credentials()["flinque"]["clients"][1]
    other = {"Authorization": f"Bearer {call.new_flinque_token(second['client_id'], second['client_secret'])}"}
    call.flinque_token()
    sandbox.limits({"flinque.starter": {"limit": 60, "burst": 2}})
    assert call("GET", "/flinque/v1/campaigns").status_code == 200
    assert call("GET", "/flinque/v1/campaigns", headers=other).status_code == 200
    assert call("GET", "/flinque/v1/campaigns").status_code == 429


def test_limits_can_be_lifted(sandbox: Sandbox, call: Caller) -> None:
    sandbox.limits({"*": None})
    assert {call("GET", "/flokit/v1/workspace").status_code for _ in range(120)} == {200}
    sandbox.reset()
    assert 429 in {call("GET", "/flokit/v1/workspace").status_code for _ in range(120)}


@pytest.mark.parametrize(
    "change",
    [{"nope.x": None}, {"flokit.workspace": {"limit": 0}}, {"flokit.workspace": {"size": 1}}, {"flokit.workspace": 5}],
)
def test_bad_overrides_are_refused(sandbox: Sandbox, change: dict[str, object]) -> None:
    with pytest.raises(HTTPError) as refusal:
        sandbox.limits(change)
    assert refusal.value.code == 400
    refusal.value.close()
