"""A Casbin model or policy that does not load, as refusals: one a line, at its own file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from narrows.errors import PolicyError, Refusal

_FAULT = re.compile(r"(?:policy )?(?P<where>[^\s:]+(?::[0-9]+)?): (?P<rule>.+?)(?:; (?P<remedy>.+))?")


def policy_refusals(error: PolicyError) -> Iterator[Refusal]:
    """The faults of one `PolicyError`, which holds one a line: `policy roles.csv:3: rule; remedy`."""
    for line in str(error).splitlines():
        fault = _FAULT.fullmatch(line)
        yield Refusal(
            code="policy-unloadable",
            subject="policies",
            where=fault["where"] if fault else "narrows.toml",
            rule=fault["rule"] if fault else line,
            remedy=(fault and fault["remedy"]) or "correct the files that `policies` and `model` name",
        )
