"""Paths and ids: each endpoint has its own, of a plain form, and none of them is Narrows' own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from typing import Any

from narrows.checks.refusing import refuse
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import placeholders
from narrows.declare.upstream import Operation
from narrows.errors import Refusal

_RESERVED = ("/rehearse", "/sandbox", "/rehearsals")
_GRAPHQL = "/graphql"
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~-]+|\{[a-z_][a-z0-9_]*\}))+")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_EXAMPLE = 'write it as "/teams/{team_id}/bookings"'


def path_is_text(declared: Endpoint | Operation[..., Any]) -> Iterator[Refusal]:
    """Anything but text has no form to judge."""
    if type(declared.path) is not str:
        yield refuse("path-form", declared, f"{declared.path!r} is no path", _EXAMPLE)


def form_of_path(declared: Endpoint | Operation[..., Any], known: Set[str]) -> Iterator[Refusal]:
    """A path template is plain, each of its names stands once, and a parameter (`known`) takes it."""
    path = declared.path
    if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        yield refuse("path-form", declared, f"{path!r} is no plain path", _EXAMPLE)
        return
    names = placeholders(path)
    if len(set(names)) != len(names):
        yield refuse("path-form", declared, "a name stands twice in its path", "give each its own name")
    for name in dict.fromkeys(names):
        if name not in known:
            rule = f"nothing takes {{{name}}} of its path"
            yield refuse("path-unused", declared, rule, f"add a parameter {name}: Id, or take {{{name}}} out")


def path_refusals(endpoint: Endpoint, builtins: Iterable[Endpoint]) -> Iterator[Refusal]:
    """A path that Narrows answers itself, and an id that cannot be named in a policy."""
    path = endpoint.path
    if _is_reserved(path) or (endpoint.document is None and any(_is_graphql(path, own) for own in builtins)):
        yield refuse("path-reserved", endpoint, f"{path} lies under a base path of Narrows", "choose another path")
    elif any(_outline(path) == _outline(own.path) and endpoint.method != own.method for own in builtins):
        yield refuse("path-reserved", endpoint, f"{path} is a path of Narrows itself", "choose another path")
    if not _NAME.fullmatch(endpoint.function.__name__):
        rule = "its id cannot be named in a policy"
        yield refuse(
            "id-form", endpoint, rule, "name the function with a-z, 0-9 and _, as in `async def team_bookings`"
        )


def collisions(endpoints: Iterable[Endpoint]) -> Iterator[Refusal]:
    """Two endpoints with one id, one route, or two names for one place of a path."""
    ids: dict[str, Endpoint] = {}
    routes: dict[tuple[str, str], Endpoint] = {}
    paths: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        if not endpoint.builtin and _is_reserved(endpoint.path):
            continue
        outline = _outline(endpoint.path)
        first = ids.setdefault(endpoint.id, endpoint)
        if first is not endpoint:
            rule = f"its id is also that of the endpoint at {first.where}"
            yield refuse("id-twice", endpoint, rule, "rename the function")
            continue
        first = routes.setdefault((endpoint.method, outline), endpoint)
        if first is not endpoint:
            rule = f"{endpoint.method} {endpoint.path} is also answered by {first.id} at {first.where}"
            yield refuse("route-twice", endpoint, rule, "give it a path of its own")
            continue
        first = paths.setdefault(outline, endpoint)
        if first.path != endpoint.path:
            rule = f"{endpoint.path} and {first.path} of {first.id} name one place differently"
            yield refuse("path-names", endpoint, rule, f'write the path as "{first.path}"')


def _is_reserved(path: str) -> bool:
    return any(path == base or path.startswith(base + "/") for base in _RESERVED)


def _is_graphql(path: str, own: Endpoint) -> bool:
    """Whether a path lies where a built-in endpoint answers GraphQL, whose documents are below it."""
    return own.path == _GRAPHQL and (path == _GRAPHQL or path.startswith(_GRAPHQL + "/"))


def _outline(path: str) -> str:
    """A path without the names of its places."""
    return re.sub(r"\{[^{}]*\}", "{}", path)
