# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Local and remote files: paths that users name, whole files or none, formats, scratch space."""
