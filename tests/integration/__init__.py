# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Against a real Airflow and real servers."""
