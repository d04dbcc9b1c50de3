# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The client, module by module, without Airflow."""
