# Licensed under the Apache License, Version 2.0; see LICENSE.
"""The trigger that waits in the triggerer, for all vendors."""
