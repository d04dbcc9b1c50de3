# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The control room: pages in Airflow's own UI that show launches, and on which people act on them."""

PREFIX = "/mkt-ui"
"""The path of the pages, beside the receiver's ``/mkt``: Airflow does not say which plugin it mounts first."""
