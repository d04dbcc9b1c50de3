# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Are the posts ones that Flow Social would take?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mkt.exceptions import NotFoundError, ValidationError
from airflow_provider_mkt.operators.preflight.findings import connected
from airflow_provider_mkt.vendors import flow_social

if TYPE_CHECKING:
    from airflow_provider_mkt.operators.preflight.findings import Findings


log = logging.getLogger(__name__)

MAX_POSTS_ASKED = 100
"""Posts that the vendor is asked about, one request each. Behind them only what is known without it is checked."""
POST_PARAMETERS = {"channel_id": "channelId", "scheduled_for": "scheduledFor", "media_keys": "mediaKeys"}
"""Parameters of the post operator, and the vendor's fields."""


def posts(findings: Findings, conn_id: str, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Check every post: its channel, its length for each network, and what Flow Social itself says of it."""
    from airflow_provider_mkt.hooks.flow_social import FlowSocialHook
    from airflow_provider_mkt.hooks.flow_social.posts import post_body

    hook = FlowSocialHook(conn_id)
    if not connected(findings, hook):
        return
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        findings.add("posts", f"they must be a list of posts, got {type(wanted).__name__}; hand over the task's output")
        return
    before = findings.count
    channels: dict[str, str] = {}
    with findings.about("channels"):
        channels = {str(row["id"]): str(row.get("name")) for row in hook.list_channels()}
    if findings.count != before:
        return
    networks: dict[str, set[str]] = {}
    asking = True
    for number, post in enumerate(wanted, start=1):
        place = f"post {number}"
        with findings.about(place):
            if not isinstance(post, Mapping):
                raise ValidationError(f"it must be an object with channel_id and content, got {type(post).__name__}")
            body = post_body({POST_PARAMETERS.get(name, name): value for name, value in post.items()})
            channel = body["channelId"]
            if channel not in channels:
                raise ValidationError(_unknown_channel(channel, channels))
            if channel not in networks:
                networks[channel] = _networks(findings, hook, channel)
            _check_length(body.get("content") or "", networks[channel])
            if asking and number <= MAX_POSTS_ASKED:
                asking = _asked(hook, body)


def _unknown_channel(channel: str, channels: Mapping[str, str]) -> str:
    shown = ", ".join(f"{known} ({name})" for known, name in list(channels.items())[:10]) or "none"
    more = " …" if len(channels) > 10 else ""
    return f"there is no channel {channel!r}; this account has {shown}{more}"


def _networks(findings: Findings, hook: Any, channel: str) -> set[str]:
    """Return the networks that a channel posts to, as far as the vendor tells; warn of connections that do not work."""
    networks = set()
    with findings.about(f"channel {channel}"):
        for row in hook.verify_channel_connections(channel):
            network = str(row.get("platform") or "")
            networks.add(network)
            if row.get("valid") is False:
                # How posts fare on such a channel is not documented: its other networks, or a retry, may take them.
                log.warning(
                    "Channel %s: Flow Social says its connection to %s does not work (%s). Connect it there again.",
                    *(channel, network or "a network", row.get("status") or "no status"),
                )
    return networks


def _check_length(content: str, networks: set[str]) -> None:
    for network, most in flow_social.NETWORK_LENGTHS.items():
        if network in networks and len(content) > most:
            raise ValidationError(
                f"the text has {len(content):,} characters; {network} takes {most}. Shorten it, or use another channel"
            )


def _asked(hook: Any, body: Mapping[str, Any]) -> bool:
    """Ask the vendor about a post. Returns False when it does not offer that: its reference does not name the route."""
    try:
        answer = hook.preflight_post(body)
    except NotFoundError:
        log.warning(
            "Flow Social does not offer to check posts beforehand; what it may refuse shows when they are sent."
        )
        return False
    errors = answer.get("errors") or answer.get("issues") or []
    if answer.get("valid") is False or errors:
        raise ValidationError("Flow Social would refuse it: " + (_shown(errors) or "it gives no reason"))
    return True


def _shown(errors: Any) -> str:
    rows = errors if isinstance(errors, list) else [errors]
    told = [
        ": ".join(str(row[name]) for name in ("field", "message") if row.get(name))
        if isinstance(row, Mapping)
        else str(row)
        for row in rows
    ]
    return "; ".join(text for text in told if text)
