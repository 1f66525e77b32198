"""Case 65, what is smuggled beside a log that verifies: whoever reads an export reads what was signed, and no more.

Somebody who cannot sign writes a record where a reader looks for one and the verifier does not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from narrows.audit.verify import verify
from tests.unit.audit.logs import KEYS, lines_of, make_leaf, make_log

FORGED = '{"event":"call","outcome":"ok"}'
Forge = Callable[[dict[str, Any]], str]


def written(document: dict[str, Any]) -> str:
    """A line as the export writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def twice(line: dict[str, Any]) -> str:
    """The same key twice: one reader takes the first, another the last."""
    return written(line).replace('"leaf":', f'"leaf":{json.dumps(FORGED)},"leaf":')


def renamed(line: dict[str, Any]) -> str:
    """The same key twice, once in escapes."""
    return written(line).replace('"leaf":', f'"le\\u0061f":{json.dumps(FORGED)},"leaf":')


FORGERIES: dict[str, tuple[str, Forge]] = {
    "a record in the line of hashes": ("hashes", lambda line: written({**line, "index": 3, "leaf": FORGED})),
    "a record beside a checkpoint": ("checkpoint", lambda line: written({**line, "leaf": FORGED})),
    "a record in the first line": ("form", lambda line: written({**line, "index": 0, "leaf": FORGED})),
    "a checkpoint beside a record": ("leaf", lambda line: written({**line, "checkpoint": "example\n9\n"})),
    "a size beside a record": ("leaf", lambda line: written({**line, "size": 9})),
    "the other bytes of a record": (
        "leaf",
        lambda line: written({**line, "raw": base64.b64encode(FORGED.encode()).decode()}),
    ),
    "a record that no reader finds": (
        "leaf",
        lambda line: written({"index": line["index"], "raw": base64.b64encode(line["leaf"].encode()).decode()}),
    ),
    "a key twice": ("leaf", twice),
    "a key twice, once in escapes": ("leaf", renamed),
    "a comment in spaces": ("leaf", lambda line: written(line).replace(",", " ,", 1)),
    "an end of the line in between": ("leaf", lambda line: written(line).replace(",", "\r,", 1)),
    "another line behind it": ("leaf", lambda line: written(line) + "\r"),
    "null for what it does not say": ("leaf", lambda line: written({**line, "checkpoint": None})),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_case_65_nothing_is_smuggled_into_an_export_that_verifies(forgery: str) -> None:
    """The signed records are all there, and the export is bad all the same, from there on."""
    store, _ = await make_log(10, 20)
    lines = await lines_of(store)
    kind, forge = FORGERIES[forgery]
    assert verify(lines, KEYS).first_bad is None
    place = next(at for at, line in enumerate(lines) if f'"{kind}":'.encode() in line)
    forged = [*lines[:place], forge(json.loads(lines[place])).encode() + b"\n", *lines[place + 1 :]]
    verdict = verify(forged, KEYS)
    records = sum(b'"leaf"' in line for line in lines[:place])
    assert (verdict.first_bad, verdict.last_bad) == (records, records)
    assert "not as an export writes it" in verdict.why


async def test_case_65_what_is_not_text_is_shown_in_base64_and_verifies() -> None:
    """Bytes that somebody made unreadable before they were signed stand there as what they are."""
    store, _ = await make_log(3, leaf=lambda number: b"\xff" + make_leaf(number))
    assert verify(await lines_of(store), KEYS).first_bad is None


async def test_case_65_no_single_byte_of_an_export_can_be_another() -> None:
    """Of records, hashes, checkpoints and sizes alike: each is tried."""
    store, _ = await make_log(4, 9)
    whole = b"".join(await lines_of(store))
    for place, byte in enumerate(whole):
        for other in {byte ^ 1, 255 - byte, 0x0A, 0x0D} - {byte}:
            changed = whole[:place] + bytes([other]) + whole[place + 1 :]
            lines = [line + b"\n" for line in changed.removesuffix(b"\n").split(b"\n")]
            assert verify(lines, KEYS).first_bad is not None, (place, other)


@pytest.mark.parametrize("said", [0, 8, 10, 10**18])
async def test_case_65_a_size_that_lies_is_told(said: int) -> None:
    """At the first record that is there and was not said, or was said and is not there."""
    store, _ = await make_log(4, 9)
    lines = await lines_of(store)
    head = lines[0].replace(b'"size":9', b'"size":%d' % said)
    assert verify([head, *lines[1:]], KEYS).first_bad == min(said, 9)


@pytest.mark.parametrize(
    "line",
    [
        b'{"form":' + b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
        b"[" * 100_000,
        b'{"index":1e400}',
        b'{"index":' + b"9" * 5000 + b"}",
    ],
    ids=["deep", "deep and unknown", "deep alone", "infinite", "a number without end"],
)
async def test_case_65_a_hostile_line_ends_no_verification(line: bytes) -> None:
    """It is bad, and says so."""
    store, _ = await make_log(3)
    lines = await lines_of(store)
    for place in range(len(lines) + 1):
        assert verify([*lines[:place], line, *lines[place:]], KEYS).first_bad is not None
