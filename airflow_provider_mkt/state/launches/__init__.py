# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The launch desk: a register of all launches, and what may keep one from beginning."""
