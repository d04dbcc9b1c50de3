# Licensed under the Apache License, Version 2.0; see LICENSE.
"""What the answer to a batch of posts says of each row that was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.client.contradiction import FAILED
from airflow_provider_mkt.exceptions import MalformedResponseError
from airflow_provider_mkt.submission.echo import differing
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow_provider_mkt.client.redaction import Redactor

VENDOR = flow_social.VENDOR.name
SHOWN_ROWS = 20
MAX_REASON = 300

Item = Mapping[str, Any]


def receipt_of(answer: Item, posts: Sequence[Item], redactor: Redactor) -> dict[str, Any]:
    """Return what became of every post of a batch: ``post_ids``, None where one was refused, and ``refused``.

    :param answer: the vendor's answer
    :param posts: what was sent
    :param redactor: takes secrets and personal data out of the reasons
    :raises MalformedResponseError: when the answer does not tell it of every post, or contradicts itself
    """
    ids: list[str | None] = []
    refused: dict[str, str] = {}
    unclear: list[str] = []
    # A post without a text is shown with an empty one.
    sent = [{"content": "", **post} for post in posts]
    for row, result in enumerate(by_row(answer["results"], sent, differences)):
        post_id = _post_id(result)
        if result is None or (post_id is None and not _is_refusal(result)):
            unclear.append(str(row))
            continue
        ids.append(post_id)
        if post_id is None:
            refused[str(row)] = reason_of(result, redactor)
    known = [each for each in ids if each]
    problem = f"unclear: {', '.join(unclear[:SHOWN_ROWS])}" if unclear else ""
    if not problem and len(answer["results"]) != len(posts):
        problem = "their number is another one"
    if not problem and len(set(known)) != len(known):
        problem = "ids come twice"
    if not problem and not _sums_up(answer.get("summary"), len(known), len(refused)):
        problem = "the summary counts otherwise"
    if problem:
        raise MalformedResponseError(
            f"{VENDOR} answered with {len(answer['results'])} results for {len(posts)} posts, which do not tell what "
            f"became of each ({problem}; known: {', '.join(known) or 'none'})",
            executed=True,
            vendor=VENDOR,
        )
    return {"post_ids": ids, "refused": refused}


def reason_of(result: Item, redactor: Redactor) -> str:
    """Return why the vendor refused one item of a batch."""
    return redactor.text(str(result.get("error") or "no reason given"), MAX_REASON)


def by_row(results: Sequence[Any], sent: Sequence[Item], contradicts: Callable[[Item, Item], Any]) -> list[Item | None]:
    """Return the result of each row: by its index, else by the post that it shows. None where that is unclear.

    The indexes count when each of them may be one, and the posts that the results show agree with them. A result
    without an index belongs to the row that its post fits, as long as there is only one such row, or several that are
    the same. What is left over in the end is clear only if all of it was refused.

    :param results: the vendor's results, in any order
    :param sent: the rows
    :param contradicts: whether a row and a post that a result shows cannot be the same
    """
    items = [each for each in results if isinstance(each, Mapping)]
    found = _by_index(items, sent, contradicts)
    placed = {id(each) for each in found.values()}
    left = [each for each in items if id(each) not in placed]
    rows = [row for row in range(len(sent)) if row not in found]
    kinds = {row: json.dumps(sent[row], sort_keys=True) for row in rows}
    fits = {at: {row for row in rows if not contradicts(sent[row], shown_post(item))} for at, item in enumerate(left)}
    while (at := next((at for at in fits if len({kinds[row] for row in fits[at]}) == 1), None)) is not None:
        row = min(fits.pop(at))
        found[row] = left[at]
        for others in fits.values():
            others.discard(row)
    rest = [row for row in rows if row not in found]
    if len(rest) == len(fits) and all(left[at].get("success") is False for at in fits):
        reasons = " or: ".join(dict.fromkeys(str(left[at].get("error") or "no reason given") for at in fits))
        found.update({row: {"success": False, "error": reasons} for row in rest})
    return [found.get(row) for row in range(len(sent))]


def shown_post(item: Item) -> Item:
    """Return the post that a result shows, or an empty one."""
    post = item.get("post")
    return post if isinstance(post, Mapping) else {}


def differences(sent: Item, shown: Item) -> list[str]:
    """Return the fields by which a post that the vendor shows is not the one that was sent."""
    return differing(shown, {name: sent[name] for name in flow_social.POST_SHOWN if name in sent})


def _by_index(items: Sequence[Item], sent: Sequence[Item], contradicts: Callable[[Item, Item], Any]) -> dict[int, Item]:
    given = [(item["index"], item) for item in items if item.get("index") is not None]
    places = [at for at, _ in given if type(at) is int and 0 <= at < len(sent)]
    if len(places) != len(given) or len(set(places)) != len(places):
        return {}
    return {} if any(contradicts(sent[at], shown_post(item)) for at, item in given) else dict(given)


def _post_id(result: Item | None) -> str | None:
    """Return the id of the post that a result says was scheduled; None when it does not, or says otherwise as well."""
    if result is None or result.get("success") is not True or result.get("error"):
        return None
    post_id, post = shown_post(result).get("id"), shown_post(result)
    statuses = {str(each.get("status")).lower() for each in (result, post)}
    return post_id if isinstance(post_id, str) and post_id and not statuses & FAILED else None


def _is_refusal(result: Item) -> bool:
    return result.get("success") is False and not shown_post(result).get("id")


def _sums_up(summary: Any, done: int, refused: int) -> bool:
    """Tell whether the numbers of a summary, those that it has, are the numbers of the results."""
    counts = {"total": done + refused, "successful": done, "failed": refused}
    told = summary if isinstance(summary, Mapping) else {}
    return all(told[name] == count for name, count in counts.items() if isinstance(told.get(name), int))
