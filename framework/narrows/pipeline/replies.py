"""Replies that are problems (RFC 9457, or as errors of GraphQL), and the headers that every reply of a call carries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from narrows.call import Reply
from narrows.errors import PROBLEM_MEDIA_TYPE, InternalError, Problem

JSON = ("content-type", "application/json")
# Answers are for one caller alone: no cache may keep them (RFC 9111, 5.2.2), and no browser may guess their type.
SAFE = (("cache-control", "private, no-store"), ("x-content-type-options", "nosniff"))

# Headers that say how the message itself is read or kept; a problem cannot change them.
_OURS = frozenset({"cache-control", "connection", "content-length", "content-type", "transfer-encoding"})
_OURS |= {"content-encoding", "x-content-type-options"}
# RFC 9110, 5.1 and 5.5: a token, and a value of visible ASCII, spaces and tabs.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def problem_reply(
    problem: Problem,
    trace_id: str,
    effects: Sequence[str] = (),
    effects_unknown: Sequence[str] = (),
    *,
    media: str | None = None,
    at: Sequence[str | int] = (),
) -> Reply:
    """The reply of a problem. Writes that did happen before it are named, and those that may have happened.

    With `media` it answers a GraphQL request in that type: one error, `at` a place in the document if it has one, whose
    `extensions` are the members of the problem.
    """
    body = problem.body(trace_id)
    if effects:
        body["effects"] = list(effects)
    if effects_unknown:
        body["effects_unknown"] = list(effects_unknown)
    try:
        written = msgspec.json.encode(body if media is None else _error(problem, body, at))
    except (TypeError, ValueError, RecursionError):
        # The members that a team gave its problem are no JSON.
        return problem_reply(InternalError(), trace_id, effects, effects_unknown, media=media)
    headers = [(name.lower(), value) for name, value in problem.headers.items() if name.lower() not in _OURS]
    kind = PROBLEM_MEDIA_TYPE if media is None else in_utf8(media)
    return Reply(problem.status, [("content-type", kind), *filter(is_header, headers), *SAFE], written)


def in_utf8(media: str) -> str:
    """A media type of GraphQL as `Content-Type` names it: the draft wants the encoding told."""
    return f"{media}; charset=utf-8"


def _error(problem: Problem, members: Mapping[str, Any], at: Sequence[str | int]) -> dict[str, Any]:
    """A GraphQL response of one error, and without data."""
    error: dict[str, Any] = {"message": problem.detail or problem.title}
    if at:
        error["path"] = at
    return {"errors": [{**error, "extensions": members}]}


def is_header(header: tuple[str, str]) -> bool:
    """Whether a header can be sent: nothing in it ends its line or begins another."""
    name, value = header
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None
