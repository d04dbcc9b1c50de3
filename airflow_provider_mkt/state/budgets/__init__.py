# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Rate budgets: a sliding window in the shared store, or in this process alone."""
