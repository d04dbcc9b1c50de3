# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Vendors call Airflow: the receiver, what it believes, and how a delivery becomes an asset event.

A delivery is a hint. What costs money is decided by the vendor's API, which is asked before a waiting task goes on.
"""
