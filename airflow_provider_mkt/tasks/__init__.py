# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What running tasks share: stops, rescheduling, the state store, fields that stay private."""
