"""The desktop copilot as the program that a person starts, against the world of `make dev`."""

import subprocess
import sys

import httpx

from tests.interop.hostile import NAME, ROOT


def copilot(world, *arguments, typed=""):
    """Run it, and give how it ended; a person types `typed`."""
    command = [sys.executable, "-m", "examples.where2eat.copilot", "--server", world["origin"], *arguments]
    return subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 # ours


def bookings(world):
    """How many bookings the tables service holds."""
    return httpx.get(f"{world['tables']}/_count").json()["bookings"]


def test_it_books_only_after_a_yes(world):
    """The same run books nothing without an answer, and once with one."""
    before = bookings(world)
    undecided = copilot(world, "--as", "anna", "--pick", "2")
    assert undecided.returncode == 0
    assert "Nothing was booked." in undecided.stdout
    assert bookings(world) == before
    agreed = copilot(world, "--as", "anna", "--pick", "2", typed="y\n")
    assert "Booked: booking-" in agreed.stdout
    assert bookings(world) == before + 1
    assert NAME[:32] in agreed.stdout


def test_a_refusal_ends_it_with_the_reason(world):
    """Whoever is in another team reads why not, and the program says so to the shell."""
    refused = copilot(world, "--as", "olga")
    assert refused.returncode == 1
    assert "Not allowed (403)." in refused.stderr
    assert "What helps:" in refused.stderr


def test_an_unknown_person_is_not_signed_in(world):
    """A wrong name or password gives no token."""
    refused = copilot(world, "--as", "nobody")
    assert refused.returncode == 1
    assert "check name and password" in refused.stderr
