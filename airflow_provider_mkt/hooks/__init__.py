# Licensed under the Apache License, Version 2.0; see LICENSE.
"""One hook a vendor: its account, its credentials, and one method per endpoint."""
