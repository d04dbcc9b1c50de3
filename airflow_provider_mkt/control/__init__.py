# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What a person does about launches, by command or on a page: settle, stop, resume, end."""
