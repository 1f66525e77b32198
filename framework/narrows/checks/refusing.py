"""How a check refuses a declaration: by its id, at its own file and line."""

from __future__ import annotations

from typing import Any

from narrows.declare.endpoint import Endpoint
from narrows.declare.upstream import Operation
from narrows.errors import Refusal


def refuse(code: str, declared: Endpoint | Operation[..., Any], rule: str, remedy: str) -> Refusal:
    """One reason why an endpoint or an operation is not safe to start."""
    return Refusal(code=code, subject=declared.id, where=declared.where, rule=rule, remedy=remedy)
