# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Functions as tasks: `@task.mkt_post`, `@task.mkt_campaign` and `@task.mkt_subscribers`."""

from airflow_provider_mkt.decorators.flodesk import mkt_subscribers
from airflow_provider_mkt.decorators.flow_living import mkt_campaign
from airflow_provider_mkt.decorators.flow_social import mkt_post

__all__ = ["mkt_campaign", "mkt_post", "mkt_subscribers"]
