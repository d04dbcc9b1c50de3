# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What an API server does about webhooks, in a process that may be killed: it receives them, and hands them over."""

from __future__ import annotations

import sys


def main(port: int) -> None:
    import uvicorn

    from airflow_provider_mkt.webhooks.receiver import Receiver
    from airflow_provider_mkt.webhooks.worker import HandOverWorker

    with HandOverWorker():
        uvicorn.run(Receiver(), port=port, access_log=False, lifespan="off", log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]))
