"""What a rehearsal says is what the live call then does, for every endpoint of every BFF of this repository."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from narrows import Bff
from narrows.testing import Request, compare, unasked

BFFS = Path(__file__).parents[2] / "bffs"
NAMES = sorted(folder.parent.name for folder in BFFS.glob("*/app.py"))


def requests_of(name: str) -> Any:
    """The example requests of a BFF and its world."""
    return import_module(f"bffs.{name}.tests.requests")


def asked() -> list[Any]:
    """Every example request of every BFF, as parameters of a test."""
    return [
        pytest.param(name, request, id=f"{name}: {request}") for name in NAMES for request in requests_of(name).REQUESTS
    ]


def test_the_bffs_are_found() -> None:
    """The walk finds the folder, so that no BFF is left out because its folder is elsewhere."""
    assert {"pulls", "visitors", "where2eat"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_endpoint_has_an_example_request(name: str) -> None:
    """A new endpoint is compared too, or this names it."""
    bff: Bff = import_module(f"bffs.{name}.app").bff
    assert unasked(bff, requests_of(name).REQUESTS) == []


@pytest.mark.parametrize(("name", "request_"), asked())
async def test_a_rehearsal_and_the_live_call_do_not_differ(name: str, request_: Request) -> None:
    """Status, schema, effects and price are the same."""
    async with requests_of(name).stage() as stage:
        comparison = await compare(stage, request_)
    assert [str(one) for one in comparison.differences] == []
