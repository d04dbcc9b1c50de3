# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What operators, sensors and triggers wait for, and how they judge it: the same code in all of them."""
