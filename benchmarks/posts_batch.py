# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Ten thousand posts from a SQLite table: this provider's batches, next to one ``HttpOperator`` call for each post.

    python -m benchmarks.posts_batch [--posts 10000] [--batch-speedup 1] [--single-speedup 60] [--only batches]

The simulated vendor runs in a process of its own and permits 100 requests a minute, of which 30 may create posts. Time
is scaled: with a speedup of 60 its minute, and the client's, is a second. "vendor time" is the measured time multiplied
by that, so computing and the network are counted too high by the same factor. The batches run in real time.

``HttpOperator`` does not pace itself; here it is called again in place, without the cost of a new task, as soon as the
vendor permits. Nothing is extrapolated: all posts are sent, and the vendor's ledger is counted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

SERVER = """
import sys
from airflow_provider_mkt.sandbox.server import Sandbox
with Sandbox() as sandbox:
    print(sandbox.url, flush=True)
    sys.stdin.read()
"""
LIMITS = {"default": 100, "post_creation": 30}
SQL = "SELECT channel_id, content, scheduled_for FROM posts ORDER BY id"


@contextmanager
def vendor(speedup: float) -> Iterator[Any]:
    """The vendors in another process, their minute shortened."""
    from airflow_provider_mkt.sandbox.server import Sandbox

    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        sandbox = Sandbox()
        sandbox.url = server.stdout.readline().strip()
        scaled = {f"flow_social.{name}": {"limit": each, "window": 60 / speedup} for name, each in LIMITS.items()}
        sandbox.limits(scaled)
        for conn_id, connection in sandbox.connections.items():
            os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)
        yield sandbox
    finally:
        server.kill()
        server.wait()


def with_batches(database: Path, speedup: float) -> None:
    """One task of this provider, in 100 requests."""
    from airflow_provider_mkt.client.endpoint import Limit
    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.transfers.flow_social import SqlToFlowSocialPostsOperator
    from tests.unit.context import Task

    FlowSocialHook.limits = lambda *_: {name: Limit(each, 60 / speedup) for name, each in LIMITS.items()}  # type: ignore[method-assign]
    os.environ["AIRFLOW_CONN_PLAN"] = json.dumps({"conn_type": "sqlite", "host": str(database)})
    context: Any = Task(run_id=f"speedup {speedup}").context
    SqlToFlowSocialPostsOperator(task_id="posts", sql=SQL, sql_conn_id="plan").execute(context)


def with_http_operator(database: Path, speedup: float) -> None:
    """One call of Airflow's ``HttpOperator`` for each post, again after a refusal."""
    from airflow.exceptions import AirflowException
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.providers.http.operators.http import HttpOperator

    HttpHook.log = logging.getLogger("silent")  # type: ignore[misc] - it writes two lines for each refusal

    connection = json.loads(os.environ["AIRFLOW_CONN_FLOW_SOCIAL_DEFAULT"])
    os.environ["AIRFLOW_CONN_PLAIN"] = json.dumps({"conn_type": "http", "host": connection["host"]})
    headers = {"Authorization": f"Bearer {connection['password']}", "Content-Type": "application/json"}
    with closing(sqlite3.connect(database)) as source:
        for channel, content, when in source.execute(SQL):
            post = json.dumps({"channelId": channel, "content": content, "scheduledFor": when})
            operator = HttpOperator(
                task_id="post", http_conn_id="plain", endpoint="/posts", data=post, headers=headers, log_response=False
            )
            while True:
                try:
                    operator.execute({})
                    break
                except AirflowException as error:
                    if "429" not in str(error):
                        raise
                    time.sleep(1 / speedup)


def measured(run: Callable[[Path, float], None], database: Path, speedup: float) -> dict[str, Any]:
    """Run it against a new vendor, and return what the vendor saw."""
    with vendor(speedup) as sandbox:
        begun = time.monotonic()
        run(database, speedup)
        took = time.monotonic() - begun
        statuses = Counter(each["status"] for each in sandbox.requests("flow_social"))
        posts = Counter(each["reference"] for each in sandbox.ledger("flow_social", "post.created"))
    return {
        "requests": statuses.total(),
        "refused": statuses[429],
        "seconds": took,
        "posts": len(posts),
        "twice": sum(1 for times in posts.values() if times > 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--batch-speedup", type=float, default=1.0)
    parser.add_argument("--single-speedup", type=float, default=60.0)
    parser.add_argument("--only", default="", help="batches or HttpOperator")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AIRFLOW_HOME"] = folder
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        database = Path(folder) / "plan.db"
        with closing(sqlite3.connect(database)) as plan, plan:
            plan.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, channel_id, content, scheduled_for)")
            rows = [("channel_1", f"Post {at}", "2099-06-01T09:00:00Z") for at in range(options.posts)]
            plan.executemany("INSERT INTO posts (channel_id, content, scheduled_for) VALUES (?, ?, ?)", rows)
        import airflow.sdk  # noqa: F401 - sets up logging, which is then silenced

        logging.disable(logging.CRITICAL)
        for title, run, speedup in (
            ("this provider, batches", with_batches, options.batch_speedup),
            ("HttpOperator, one by one", with_http_operator, options.single_speedup),
        ):
            if options.only not in title:
                continue
            seen = measured(run, database, speedup)
            print(
                f"{title:25} {seen['posts']:6,} posts ({seen['twice']} twice), {seen['requests']:6,} requests, "
                f"{seen['refused']:6,} of them refused; {seen['seconds']:6.1f} s at {speedup:g}x = "
                f"{seen['seconds'] * speedup / 60:6.1f} min of vendor time, of which the limit alone takes "
                f"{max(0, (seen['requests'] - seen['refused']) / LIMITS['post_creation'] - 1):.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
