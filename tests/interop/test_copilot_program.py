"""The desktop copilot as the program that a person starts, against the world of `make dev`."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from narrows.devkit.browser import Confirming
from tests.interop.hostile import NAME, ROOT


def copilot(world, *arguments, typed=""):
    """Run it, and give how it ended; a person types `typed`."""
    command = [sys.executable, "-m", "examples.where2eat.copilot", "--server", world["origin"], *arguments]
    return subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 # ours


def stopped(world, name, *arguments):
    """Start it, and wait until it is stopped; the process, what it printed, and where the person confirms."""
    command = [sys.executable, "-m", "examples.where2eat.copilot", "--server", world["origin"], "--as", name]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 # ours
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("Confirm it here: "):
            return process, printed, line.split()[-1]
    pytest.fail(f"it was not stopped: {printed}")


def decide(url, name, decision):
    """What a person does on the page; in a thread, because a driven browser keeps a loop of its own in this one."""

    async def on_page():
        async with Confirming(url) as page:
            await page.sign_in(name, f"lunch-{name}")
            return (await page.decide(decision)).json()["state"]

    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, on_page()).result()


def ended(process):
    """How it ends, and what it still prints."""
    with process:
        printed = process.communicate(timeout=60)[0]
    return process.returncode, printed


def bookings(world):
    """How many bookings the tables service holds."""
    return httpx.get(f"{world['tables']}/_count").json()["bookings"]


def test_it_goes_no_further_without_a_yes(world):
    """Who does not answer has rehearsed, and no more."""
    before = bookings(world)
    undecided = copilot(world, "--as", "fatma", "--pick", "2")
    assert undecided.returncode == 0
    assert "Nothing was booked." in undecided.stdout
    assert NAME[:32] in undecided.stdout
    assert bookings(world) == before


def test_it_books_only_what_the_person_confirmed_on_the_page(world):
    """It is stopped and waits; the person's decision on the BFF's own page lets it book once."""
    before = bookings(world)
    process, printed, url = stopped(world, "fatma", "--pick", "2", "--yes")
    assert "Stopped: " in printed
    assert bookings(world) == before
    assert decide(url, "fatma", "allow") == "confirmed"
    returned, printed = ended(process)
    assert returned == 0
    assert "Booked: booking-" in printed
    assert bookings(world) == before + 1
    assert decide(url, "fatma", "allow") == "spent"


def test_it_does_not_book_what_the_person_refused(world):
    """It ends with the reason."""
    before = bookings(world)
    process, _, url = stopped(world, "ben", "--pick", "3", "--yes")
    assert decide(url, "ben", "refuse") == "spent"
    assert ended(process)[0] == 1
    assert bookings(world) == before


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
