# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The database that processes share: dialects, migrations, short transactions, forks."""
