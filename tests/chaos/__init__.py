# Licensed under the Apache License, Version 2.0; see LICENSE.
"""A real Airflow, with everything in it dying at the wrong moment."""
