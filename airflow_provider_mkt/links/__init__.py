# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Links on a task's page. They are built from names and ids alone: no hook, no connection, no secret."""
