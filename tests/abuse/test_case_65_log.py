"""Case 65: whatever is done to the audit log, the verifier names the first bad record.

Edit, deletion, insertion, swap and truncation of an export, of the store under it with and without its hashes, a file
that was replaced, an old checkpoint that is replayed, and a fork after a restart.
"""

import asyncio
import base64
import json

import pytest

from narrows.audit.checkpoint import CheckpointRefused, Signer
from narrows.audit.merkle import grow, leaf_hash
from narrows.audit.verify import Verifier, verify
from narrows.stores.audit import Head, Kept
from narrows.stores.memory_audit import MemoryAuditStore
from tests.unit.audit.logs import KEYS, ORIGIN, OTHER, add, lines_of, make_leaf, make_log

HEAD = b'{"form":"narrows-audit@1","origin":"bff.test/lunch","size":%d}'
SIZES = (100, 300, 700)
PLACES = (0, 1, 99, 100, 255, 256, 257, 299, 300, 511, 512, 698, 699)


@pytest.fixture(scope="module")
def exported():
    """The lines of a log of 700 records that was signed at 100, 300 and 700."""

    async def make():
        store, notes = await make_log(*SIZES)
        return await lines_of(store), notes

    return asyncio.run(make())


def records(lines):
    """Where the records stand among the lines."""
    return [place for place, line in enumerate(lines) if b'"index"' in line]


def written(document):
    """A line as the export writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def renumbered(lines):
    """The lines with records that count from 0, as somebody writes them who knows the form."""
    count, made = 0, []
    for line in lines:
        if b'"index"' in line:
            line, count = written({**json.loads(line), "index": count}), count + 1
        made.append(line)
    return made


def edited(line, said="changed"):
    """A record that says something else."""
    read = json.loads(line)
    return written({**read, "leaf": read["leaf"].replace("said", said)})


async def test_a_log_that_nobody_touched_holds(exported):
    """With each of its checkpoints, and with its hashes as they were."""
    lines, notes = exported
    verdict = verify(lines, KEYS, kept=notes, hashes=lines)
    assert (verdict.first_bad, verdict.size, verdict.signed, verdict.why) == (None, 700, 700, "")


@pytest.mark.parametrize("index", PLACES)
async def test_one_byte_of_a_record_is_found(exported, index):
    """Exactly, wherever it is."""
    lines = list(exported[0])
    at = records(lines)[index]
    lines[at] = edited(lines[at])
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.exact) == (index, True)


@pytest.mark.parametrize("index", PLACES)
@pytest.mark.parametrize("again", [list, renumbered])
async def test_a_record_that_was_deleted_is_found(exported, index, again):
    """Whether the others keep their numbers or are numbered anew."""
    lines = list(exported[0])
    del lines[records(lines)[index]]
    verdict = verify(again(lines), KEYS)
    assert (verdict.first_bad, verdict.exact) == (index, True)


@pytest.mark.parametrize("index", PLACES)
@pytest.mark.parametrize("again", [list, renumbered])
async def test_a_record_that_was_inserted_is_found(exported, index, again):
    """Whether the others keep their numbers or are numbered anew."""
    lines = list(exported[0])
    at = records(lines)[index]
    lines.insert(at, edited(lines[at]))
    verdict = verify(again(lines), KEYS)
    assert (verdict.first_bad, verdict.exact) == (index, True)


@pytest.mark.parametrize("index", [index for index in PLACES if index < 699])
@pytest.mark.parametrize("again", [list, renumbered])
async def test_records_that_were_swapped_are_found(exported, index, again):
    """The first of the two is named."""
    lines = list(exported[0])
    one, two = records(lines)[index], records(lines)[699]
    lines[one], lines[two] = lines[two], lines[one]
    verdict = verify(again(lines), KEYS)
    assert (verdict.first_bad, verdict.exact) == (index, True)


@pytest.mark.parametrize("index", PLACES)
async def test_an_export_that_was_cut_off_is_found(exported, index):
    """At the first record that is missing."""
    lines = exported[0]
    verdict = verify(lines[: records(lines)[index]], KEYS)
    assert (verdict.first_bad, verdict.exact) == (index, True)


async def test_a_log_that_was_cut_off_at_a_checkpoint_is_found_by_one_that_was_kept(exported):
    """Without it the log of that day looks whole, and nobody can know better."""
    store, _ = await make_log(100, 300)
    lines = await lines_of(store)
    assert verify(lines, KEYS).first_bad is None
    for known in ({"kept": exported[1][-1:]}, {"hashes": exported[0]}):
        verdict = verify(lines, KEYS, **known)
        assert (verdict.first_bad, verdict.exact) == (300, True)
        assert "cut off" in verdict.why


async def test_a_log_that_somebody_hashed_anew_is_bad_after_its_last_good_checkpoint(exported):
    """Without the key no checkpoint can be made to agree; and with hashes that were kept the record is known."""
    lines, notes = exported

    async def forged():
        store, _ = await make_log(100, 300, leaf=lambda n: make_leaf(n, "forged" if n == 250 else "said"))
        for place, note in enumerate(notes[:2]):
            store._kept["checkpoint" if place else "checkpoint/1"] = Kept(place + 1, note.encode())
        return await lines_of(store)

    changed = await forged()
    verdict = verify(changed, KEYS)
    assert (verdict.first_bad, verdict.last_bad, verdict.signed) == (100, 299, 100)
    assert "not those that were signed" in verdict.why
    verdict = verify(changed, KEYS, hashes=lines)
    assert (verdict.first_bad, verdict.exact) == (250, True)


async def test_who_has_the_key_is_found_by_what_was_kept_elsewhere(exported):
    """A fork after a restart: everything is signed, and only somebody who remembers sees it."""
    lines, notes = exported
    store, _ = await make_log(*SIZES, leaf=lambda n: make_leaf(n, "forked" if n >= 400 else "said"))
    forked = await lines_of(store)
    assert verify(forked, KEYS).first_bad is None
    verdict = verify(forked, KEYS, kept=notes)
    assert (verdict.first_bad, verdict.last_bad) == (300, 699)
    verdict = verify(forked, KEYS, hashes=lines)
    assert (verdict.first_bad, verdict.exact) == (400, True)


async def test_two_logs_that_were_both_signed_are_a_fork(exported):
    """Both checkpoints stand in one export, and each holds for itself."""
    lines = list(exported[0])
    _, [note] = await make_log(700, leaf=lambda n: make_leaf(n, "forked"))
    lines.append(written({"checkpoint": note}))
    verdict = verify(lines, KEYS)
    assert verdict.first_bad == 0
    assert "forked" in verdict.why


async def test_an_old_checkpoint_that_is_replayed_is_found(exported):
    """Where the newest should stand: it does not cover what came after it."""
    lines, notes = list(exported[0]), exported[1]
    lines[-1] = written({"checkpoint": notes[0]})
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.exact) == (100, True)
    verdict = verify(lines[:-1], KEYS)
    assert (verdict.first_bad, verdict.last_bad) == (300, 699)
    assert "no checkpoint covers" in verdict.why


async def test_a_log_that_was_replaced_as_a_whole_is_found():
    """Signed by another key, or of another name: nothing of it is believed."""
    store, notes = await make_log(10, signer=OTHER)
    lines = await lines_of(store)
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.signed) == (0, 0)
    assert "No known key" in verdict.why
    with pytest.raises(CheckpointRefused):
        verify(lines, KEYS, kept=notes)
    other = Signer("bff.test/other", [bytes(32)])
    store, _ = await make_log(10, signer=other)
    verdict = verify(await lines_of(store, origin="bff.test/other"), KEYS)
    assert (verdict.first_bad, verdict.why) == (0, "this is the export of another log than the key's")


async def test_a_signature_that_was_changed_is_found(exported):
    """A known key that did not sign says that somebody wrote a checkpoint."""
    lines = [line.replace(b"lunch\\n300\\n", b"lunch\\n300\\n" + b"x") for line in exported[0]]
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.signed) == (100, 100)


@pytest.mark.parametrize("index", PLACES)
async def test_a_hash_that_was_changed_is_told_from_a_record(exported, index):
    """The record is good: the hash beside it is not."""
    lines = list(exported[0])
    at = next(place for place, line in enumerate(lines) if f'"start":{index // 256 * 256},'.encode() in line)
    read = json.loads(lines[at])
    raw = bytearray(base64.b64decode(read["hashes"]))
    raw[index % 256 * 32] ^= 1
    lines[at] = written({**read, "hashes": base64.b64encode(raw).decode()})
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.exact) == (index, True)
    assert "the record is good" in verdict.why


@pytest.mark.parametrize("index", PLACES)
async def test_what_is_done_to_the_store_is_found_in_its_export(index):
    """A record that was changed or deleted under the log, and a hash that is missing."""
    for harm in ("change", "garble", "delete", "hash"):
        store, _ = await make_log(*SIZES)
        match harm:
            case "change":
                store._leaves[index] = store._leaves[index].replace(b"said", b"sold")
            case "garble":
                store._leaves[index] = b"\xff" + store._leaves[index]
            case "delete":
                del store._leaves[index]
            case "hash":
                del store._nodes[0, index]
        verdict = verify(await lines_of(store), KEYS)
        assert (verdict.first_bad, verdict.exact) == (index, True), harm


async def test_records_that_no_checkpoint_covers_are_not_believed():
    """A log that grew after it was signed last is signed before it is exported."""
    store, _ = await make_log(5)
    await add(store, make_leaf(5), signer=None)
    verdict = verify(await lines_of(store), KEYS)
    assert (verdict.first_bad, verdict.exact, verdict.signed) == (5, True, 5)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "no export"),
        ([b"{}"], "no export"),
        ([b'{"form":"narrows-audit@1","origin":"bff.test/lunch"}'], "no export"),
        ([HEAD % 0, b"{}"], "says nothing"),
        ([HEAD % 0, b'{"x":1}'], "cannot be read"),
        ([HEAD % 0, b"\xff"], "cannot be read"),
        ([HEAD % 0, b" " * 2**20 + b"{}"], "cannot be read"),
        ([HEAD % 1, b'{"start":0,"hashes":"AA"}'], "hashes are missing"),
        ([HEAD % 1, b'{"start":0,"hashes":"AAAA"}'], "hashes are missing"),
        ([HEAD % 1, b'{"start":1,"hashes":""}'], "hashes are missing"),
        ([HEAD % 1, b'{"index":0,"leaf":"x"}'], "no hash beside it"),
        ([HEAD % 1, b'{"index":0,"raw":"!"}'], "as an export writes it"),
        ([HEAD % 1], "cut off here"),
    ],
)
async def test_what_is_no_export_is_refused(lines, why):
    """At its first line that is wrong."""
    verdict = verify(lines, KEYS)
    assert (verdict.first_bad, verdict.last_bad) == (0, 0)
    assert why in verdict.why


async def test_after_the_first_bad_record_nothing_is_read(exported):
    """Whoever goes on all the same gets the same verdict."""
    verifier = Verifier(KEYS)
    taken = [verifier.take(line) for line in [*exported[0][:9], b"no line", *exported[0][9:]]]
    assert taken == [True] * 9 + [False] * (len(exported[0]) - 8)
    assert (verifier.end().first_bad, verifier.size) == (7, 7)


async def test_hashes_that_cannot_be_read_are_refused(exported):
    """They were kept to be believed."""
    with pytest.raises(CheckpointRefused, match="no whole export"):
        verify(exported[0], KEYS, hashes=[b"no json"])


async def test_an_empty_log_holds():
    """There is nothing to be bad."""
    store = MemoryAuditStore()
    assert verify(await lines_of(store), KEYS).first_bad is None
    assert grow(Head(), [])[0] == Head()
    assert leaf_hash(b"") != leaf_hash(b"\x00")
    assert KEYS[0].name == ORIGIN
