# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What every simulated vendor is made of: clock, ledger, limits, faults."""
