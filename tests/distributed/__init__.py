# Licensed under the Apache License, Version 2.0; see LICENSE.
"""docker-compose.yaml on this machine: every service, and each of them dying under load."""
