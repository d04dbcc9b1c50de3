# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Hostile and odd deliveries, to this receiver and to that of airflow-provider-inbound-webhooks, side by side.

That package is not among the requirements. Run it in the project's folder:

    pip install --no-deps --target /tmp/other airflow-provider-inbound-webhooks==0.2.0
    PYTHONPATH=/tmp/other python -m benchmarks.hostile_webhooks

Each row says what is answered, how many deliveries are stored then, and whether a log line or a database file holds the
secret, or the e-mail address of the body, in the clear.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import logging
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import requests

SECRET = "a-secret-of-this-comparison"
EMAIL = "jane.doe@example.com"
SLOW = 14.0
"""Seconds for which a slow sender goes on."""
AT_ONCE = 1000


def body(event_id: str, *, age: timedelta = timedelta(0)) -> bytes:
    at = (datetime.now(timezone.utc) - age).isoformat()
    payload = {"id": event_id, "type": "report.ready", "created_at": at, "data": {"id": "re_1", "email": EMAIL}}
    return json.dumps(payload).encode()


def signed(content: bytes, secret: str = SECRET) -> dict[str, str]:
    from airflow_provider_mkt.webhooks.signature import sign

    return {"Content-Type": "application/json", "X-Flinque-Signature": sign(secret, content)}


@dataclass
class Side:
    """One of the two receivers.

    :param url: of the connection with the secret; another name in its last place is another connection
    :param stored: counts what is stored
    """

    url: str
    stored: Callable[[], int]

    def post(self, content: bytes, headers: dict[str, str], url: str = "") -> str:
        return str(requests.post(url or self.url, data=content, headers=headers, timeout=30).status_code)

    def other(self, name: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{name}"


def genuine(side: Side) -> str:
    content = body("evt_genuine")
    return side.post(content, signed(content))


def replayed(side: Side) -> str:
    content = body("evt_replayed")
    return ", ".join(side.post(content, signed(content)) for _ in range(2))


def altered(side: Side) -> str:
    content = body("evt_altered")
    return side.post(content.replace(b"re_1", b"re_2"), signed(content))


def slow(side: Side) -> str:
    """A body that comes byte by byte."""
    host, _, port = side.url.split("/")[2].partition(":")
    begun = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=SLOW) as client:
        path = "/" + side.url.split("/", 3)[3]
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Flinque-Signature: 00\r\n"
        client.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode())
        client.settimeout(1.0)
        while time.monotonic() - begun < SLOW:
            with contextlib.suppress(TimeoutError):
                if answer := client.recv(64):
                    return f"{answer.split()[1].decode()} after {time.monotonic() - begun:.0f} s"
                return f"closed after {time.monotonic() - begun:.0f} s"
            client.sendall(b" ")
    return f"still reading after {SLOW:.0f} s"


def at_once(side: Side) -> str:
    contents = [body(f"evt_crowd_{number}") for number in range(AT_ONCE)]
    begun = time.monotonic()
    with ThreadPoolExecutor(64) as pool:
        answers = Counter(pool.map(lambda content: side.post(content, signed(content)), contents))
    counts = ", ".join(f"{count} x {status}" for status, count in answers.items())
    return f"{counts} in {time.monotonic() - begun:.0f} s"


def sent(make: Callable[[], tuple[bytes, dict[str, str]]], name: str = "") -> Callable[[Side], str]:
    def send(side: Side) -> str:
        content, headers = make()
        return side.post(content, headers, side.other(name) if name else "")

    return send


def with_signature(content: bytes, **more: str) -> tuple[bytes, dict[str, str]]:
    return content, {**signed(content), **{name.replace("_", "-"): value for name, value in more.items()}}


def rows() -> dict[str, Callable[[Side], str]]:
    no_signature = {"Content-Type": "application/json"}
    twice = b'{"id": "evt_twice", "type": "report.ready", "type": "order.attributed"}'
    bomb = gzip.compress(b" " * 50_000_000)
    return {
        "in order": genuine,
        "without a signature": sent(lambda: (body("evt_none"), no_signature)),
        "forged": sent(lambda: (body("evt_forged"), signed(body("evt_forged"), "another secret"))),
        "one byte altered": altered,
        "replayed": replayed,
        "eight days old": sent(lambda: with_signature(body("evt_old", age=timedelta(days=8)))),
        "to another connection": sent(lambda: with_signature(body("evt_other")), "second"),
        "to an unknown connection": sent(lambda: with_signature(body("evt_unknown")), "unknown"),
        "2 MB": sent(lambda: with_signature(b" " * 2_000_000 + body("evt_huge"))),
        "compressed, 50 MB": sent(lambda: with_signature(bomb, Content_Encoding="gzip")),
        "no JSON": sent(lambda: with_signature(b'{"id": "evt_broken"')),
        "a name twice": sent(lambda: with_signature(twice)),
        "NaN": sent(lambda: with_signature(b'{"id": "evt_nan", "type": "report.ready", "x": NaN}')),
        "another content type": sent(lambda: with_signature(body("evt_type"), Content_Type="text/plain")),
        "slow": slow,
        f"{AT_ONCE} at once": at_once,
    }


class Captured(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextlib.contextmanager
def served(app: Any) -> Iterator[str]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def settings(home: str) -> dict[str, str]:
    ours = {"conn_type": "flinque", "login": "a", "password": "b", "extra": {"webhook_secret": SECRET}}
    extra = {
        "source_type": "hmac_json",
        "signature_header": "X-Flinque-Signature",
        "event_field": "type",
        "delivery_id_field": "id",
    }
    theirs = {"conn_type": "inbound_webhook", "password": SECRET, "extra": extra}
    second = {**ours, "login": "c", "extra": {"webhook_secret": "the second's secret"}}
    return {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__INBOUND_WEBHOOKS__WEBHOOK_NAMES": "first,second",
        "AIRFLOW_CONN_FIRST": json.dumps(ours),
        "AIRFLOW_CONN_SECOND": json.dumps(second),
        "AIRFLOW_CONN_WEBHOOK_FIRST": json.dumps(theirs),
        "AIRFLOW_CONN_WEBHOOK_SECOND": json.dumps({**theirs, "password": "the second's secret"}),
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(settings(home))
        from airflow import settings as airflow
        from airflow.utils.db import initdb
        from airflow_inbound_webhooks.app import build_app
        from airflow_inbound_webhooks.models import delivery_table, metadata
        from fastapi import FastAPI
        from sqlalchemy import func, select

        from airflow_provider_mkt.state.inbox import Inbox
        from airflow_provider_mkt.webhooks.receiver import Receiver

        initdb()
        metadata.create_all(airflow.engine)

        def their_rows() -> int:
            with airflow.engine.connect() as connection:
                return int(connection.execute(select(func.count()).select_from(delivery_table)).scalar_one())

        captured = Captured()
        logging.getLogger().addHandler(captured)
        mounted = FastAPI()
        mounted.mount("/webhooks", build_app())
        with served(Receiver()) as ours, served(mounted) as theirs:
            inbox = Inbox()
            sides = (
                Side(f"{ours}/mkt/webhooks/first", lambda: len(inbox.find(limit=10**6))),
                Side(f"{theirs}/webhooks/first", their_rows),
            )
            print("| Delivery | this receiver | stored | inbound-webhooks 0.2.0 | stored |")
            print("| --- | --- | --- | --- | --- |")
            for name, row in rows().items():
                cells = []
                for side in sides:
                    before = side.stored()
                    answer = row(side)
                    cells += [answer, str(side.stored() - before)]
                print("| " + " | ".join([name, *cells]) + " |", flush=True)
        log = "\n".join(captured.lines)
        print(f"{len(captured.lines)} log lines; secret in them: {SECRET in log}; e-mail in them: {EMAIL in log}")
        for name in ("mkt_state.db", "airflow.db"):
            content = b"".join(path.read_bytes() for path in Path(home).glob(f"{name}*"))
            print(f"{name}: e-mail in it: {EMAIL.encode() in content}; secret in it: {SECRET.encode() in content}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
