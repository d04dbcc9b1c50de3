# Licensed under the Apache License, Version 2.0; see LICENSE.
"""For the tests of DAGs: simulated vendors, time that a test moves, and runs of whole DAGs. A pytest plugin."""
