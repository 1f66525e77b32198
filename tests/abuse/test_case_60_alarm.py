"""Case 60: a policy that stops loading is told to the operators, who would not notice otherwise."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.abuse.attack import ask
from tests.flow.world import world

BEN = "g, user:corp|ben, role:organiser, team:7\n"


async def test_case_60_a_policy_that_does_not_load_raises_an_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each change that does not load is one error in the log: file and line, once for a change, and nobody's name."""
    file = tmp_path / "policy.csv"
    file.write_text(BEN)
    caplog.set_level(logging.INFO, logger="narrows")
    async with world(base=str(tmp_path), policies=["policy.csv"], policy_check_s=0.0) as w:
        for broken in (f"{BEN}q, x\n", "g, *, role:organiser, team:7\n"):
            file.write_text(broken)
            for _ in range(3):
                assert (await ask(w.app, "/teams/7/bookings", token=w.token())).status == 200
        file.unlink()
        assert (await ask(w.app, "/teams/7/bookings", token=w.token())).status == 200
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 3
    assert "policy.csv:2" in told[0]
    assert "policy.csv:1" in told[1]
    assert "cannot be read" in told[2]
    assert not any("corp|ben" in text for text in told)
