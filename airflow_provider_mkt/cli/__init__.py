# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The commands of ``airflow mkt``: submissions, shared state, signing in by OAuth."""
