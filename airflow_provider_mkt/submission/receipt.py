# Licensed under the Apache License, Version 2.0; see LICENSE.
"""From a vendor's answer to what a submission is followed by."""

from __future__ import annotations

from typing import Any

from airflow_provider_mkt.exceptions import MalformedResponseError
from airflow_provider_mkt.submission.echo import not_as_sent
from airflow_provider_mkt.submission.request import SubmissionRequest


def receipt_of(request: SubmissionRequest, answer: Any) -> dict[str, Any]:
    """Take from an answer what to follow the submission by.

    :raises MalformedResponseError: when it is not there, or the answer shows something else than was sent: the vendor
        has carried out the request all the same
    """
    try:
        receipt = request.receipt(answer)
    except (LookupError, TypeError, AttributeError) as error:
        problem = f"{request.vendor} accepted the {request.what} with an answer that cannot be read: {error!r}"
        raise MalformedResponseError(problem, executed=True, vendor=request.vendor) from None
    if wrong := not_as_sent(answer, request.body, request.echoed):
        other = MalformedResponseError(
            f"{request.vendor} accepted the {request.what}, but answered {receipt} with another content than was sent "
            f"(not as sent: {', '.join(wrong)})",
            executed=True,
            vendor=request.vendor,
        )
        other.contradicted = True
        raise other
    return receipt
