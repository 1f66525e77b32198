"""How the three services say no: `application/problem+json` (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

_TYPES = "https://where2eat.example/problems/"
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """A request is refused with `status`; `kind` ends the type URI, `detail` is for people and holds no secret."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})


def _problem(status: int, uri: str, title: str, detail: str, headers: Mapping[str, str] | None) -> Response[bytes]:
    body = {"type": uri, "title": title, "status": status, "detail": detail}
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        headers=dict(headers or {}),
        media_type="application/problem+json",
    )


def answer_refusal(_: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """The service's own refusal."""
    title = refusal.kind.replace("-", " ").capitalize()
    return _problem(refusal.status, _TYPES + refusal.kind, title, refusal.detail, refusal.headers)


def answer_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses (404, 405, 413): the status alone, for its own text quotes the URL."""
    title = HTTPStatus(error.status_code).phrase
    return _problem(error.status_code, "about:blank", title, f"{title}.", error.headers)


def answer_fault(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of our own: logged here, and nothing of it told."""
    _log.error("fault", exc_info=error)
    return _problem(500, "about:blank", "Internal Server Error", "The service failed.", None)
