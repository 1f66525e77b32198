"""The bad day that a request to the sandbox asks for: its header is read as strictly as any input."""

from __future__ import annotations

from typing import get_args

from narrows.call import Call, Scenario
from narrows.errors import FieldError

HEADER = "Sandbox-Scenario"
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
_KEY = HEADER.lower()
_NAMED = ", ".join(f"`{name}`" for name in SCENARIOS)


def read_scenario(call: Call, found: list[FieldError]) -> None:
    """Set the scenario of a sandboxed call; anything but one known name is a field error."""
    sent = call.raw.headers.get(_KEY, ())
    if not sent:
        return
    scenario = next((name for name in SCENARIOS if [name] == list(sent)), None)
    if scenario is None:
        found.append(
            FieldError(f"/header/{HEADER}", f"It must be one of {_NAMED}.", "Send one of them, once, or none.")
        )
        return
    call.scenario = scenario
    call.notes.append(f"scenario: {scenario}")
