"""`make demo`: the main job with real processes over real sockets, each claim checked against what was recorded."""

import re
import subprocess
import sys

from tests.docs.pages import ROOT

STOP = "The copilot would book that for real: it is stopped until Anna confirms it herself"
# Each stands in its chapter, in this order, and each is a claim that was checked.
CLAIMS = [
    "without a rehearsal's receipt it is refused: 428",
    "with it too: 428, which says where Anna confirms",
    "the copilot cannot confirm it with Anna's token: 401",
    "she confirms it",
    "all the while no write was sent, and there are as many bookings as before: 0",
    "it books: 201",
    "the same receipt again is refused: 409",
]

ASKED = "An operator asks the audit log who made the copilot's booking"
WHO_DID_WHAT = [
    "narrows audit search finds one record of it, by the trace that the copilot began",
    "on whose behalf: somebody who stands there as a hash",
    "with which program, whose it is, from where",
    "what, with what result, at what cost",
    "somebody who is not in audit.readers may not learn who it was",
    "Dana, who is, reads: corp|emil",
    "that both have asked stands in the log too",
    "narrows audit verify says: Whole: ",
    "of a copy in which one byte of record ",
]

DOCUMENT = "Anna asks for all of that in one request: the document `lunch`, registered ahead"
ONE_REQUEST = [
    "one request brings the team, where it can eat, and its bookings",
    "the places are those that the endpoint answers, by the same rules",
    "the services were sent four requests for it, as by the three endpoints",
    "the audit log has one record of it, which says by which rule each field was decided",
    "Olga, who is not in the team, is denied the same document: 403",
    "no service heard of it",
    "it is refused: 400, one error with a remedy",
    "so is the text of `lunch` itself: the copilot may name it by its id alone",
    "and what types there are is told to nobody",
    "no service heard of any of it",
]

RUN_AWAY = [
    "exactly 30 pass, the other 10 read 429 and when to come again",
    "their headers count down what is left of the rate, from 29 to 0",
    "each names the rate that is used up",
    "four bookings of 0.05 EUR are made, out of 0.20 EUR a day: now there are ",
    "the fifth is refused before anything is sent: 402",
    "Chloe reads what is left of her own: 0.00 EUR, where 0.05 EUR is needed",
    "its rehearsal, which costs nothing, had said so: the budget is short",
    "of money exactly what was not spent: 0.00 EUR of Chloe's own, 4.80 EUR of the page's",
    "of bytes all but the ",
    "of records all but the ",
]


def test_the_demonstration_holds_and_shows_the_stop() -> None:
    """All its claims hold; the copilot's write is stopped until the person has confirmed it, and then happens once."""
    command = [sys.executable, "-m", "examples.where2eat.demo"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)  # noqa: S603 # ours
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert re.search(r"^All \d+ claims hold", run.stdout, re.MULTILINE)
    shown = re.findall(r"^  ok      (.+)$", run.stdout[run.stdout.index(STOP) :], re.MULTILINE)
    assert [claim for claim in shown if claim in CLAIMS] == CLAIMS
    document = run.stdout[run.stdout.index(DOCUMENT) :]
    assert re.findall(r"^  ok      (.+)$", document, re.MULTILINE)[: len(ONE_REQUEST)] == ONE_REQUEST
    asked = run.stdout[run.stdout.index(ASKED) :]
    shown = re.findall(r"^  ok      (.+)$", asked, re.MULTILINE)
    assert [claim for claim in shown if any(map(claim.startswith, WHO_DID_WHAT))] == shown[: len(WHO_DID_WHAT)]
    away = [claim for claim in shown if any(map(claim.startswith, RUN_AWAY))]
    assert len(away) == len(RUN_AWAY)
    assert all(claim.startswith(told) for claim, told in zip(away, RUN_AWAY, strict=True))
    index = re.search(r"^ +(\d+)  \S+  where2eat\.book_table: ok 201$", asked, re.MULTILINE)
    assert index is not None
    assert f"NOT whole. First bad record: {index[1]}: the record is not the one that was signed." in asked
    assert re.search(r"^  +\| Stopped: .*\(428\)\.$", run.stdout, re.MULTILINE), "the desktop copilot says it too"
