"""Go's own packages, as its checksum database uses them, take our checkpoints and proofs, and no changed one."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from narrows.audit.checkpoint import read_checkpoint
from narrows.audit.prove import prove_consistency, prove_inclusion
from tests.unit.audit.logs import KEYS, ORIGIN, OTHER, make_leaf, make_log

TLOG = Path(__file__).parents[2] / "build" / "peers" / "tlog"
SIZES = (1, 2, 3, 7, 8, 9, 64, 100, 257, 300)
PLACES = (0, 1, 6, 63, 99, 255, 256, 299)
GOOD = ""


def ask(questions):
    """What Go says to each: nothing, or what is wrong."""
    found = str(TLOG) if TLOG.exists() else shutil.which("tlog")
    assert found, "tlog is missing: `.ci/setup-tlog` builds it with Go, and `make interop` calls that"
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    asked = subprocess.run([found], input=lines, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 # ours
    return [json.loads(line) for line in asked.stdout.splitlines()]


def b64(raw):
    """Bytes as Go reads them from JSON."""
    return base64.b64encode(raw).decode()


def changed(raw):
    """Other bytes of the same length."""
    return bytes([raw[0] ^ 1]) + raw[1:]


@pytest.fixture
async def log():
    """A log that was signed at each size, and its checkpoints as they are read."""
    store, notes = await make_log(*SIZES)
    return store, notes, [read_checkpoint(note, KEYS) for note in notes]


async def test_go_takes_our_checkpoints_and_no_changed_one(log):
    """Signature, key and form; a size, a root or a name that was changed is refused, and so is another key."""
    _, notes, _ = log
    key, other = str(KEYS[0]), str(OTHER.public[0])
    assert ask([{"Ask": "note", "Note": note, "Key": key} for note in notes]) == [GOOD] * len(notes)
    note = notes[-1]
    wrong = [note.replace("\n300\n", "\n301\n"), note.replace(ORIGIN, "bff.test/other"), note[:-2] + "\n", note + "\n",
             note.replace("\n\n", "\n")]  # fmt: skip
    refused = ask(
        [*({"Ask": "note", "Note": bad, "Key": key} for bad in wrong), {"Ask": "note", "Note": note, "Key": other}]
    )
    assert len(refused) == len(wrong) + 1
    assert GOOD not in refused


async def test_go_comes_to_our_roots(log):
    """From the leaves, with its own code."""
    store, _, read = log
    leaves = [b64(leaf) for leaf in await store.leaves(0, SIZES[-1])]
    questions = [{"Ask": "root", "Leaves": leaves[: one.size], "NewRoot": b64(one.root)} for one in read]
    assert ask(questions) == [GOOD] * len(SIZES)
    assert ask([{**questions[-1], "NewRoot": b64(changed(read[-1].root))}]) != [GOOD]


async def test_go_takes_our_proofs_of_inclusion_and_no_changed_one(log):
    """For each leaf under each checkpoint after it; another leaf, place, hash or root is refused."""
    store, notes, read = log
    for note, one in zip(notes, read, strict=True):
        good, bad = [], []
        for index in (index for index in PLACES if index < one.size):
            proven = await prove_inclusion(store, index, note)
            path = [b64(digest) for digest in proven.path]
            question = {"Ask": "inclusion", "Leaf": b64(proven.leaf), "Path": path, "Old": index, "New": one.size,
                        "NewRoot": b64(one.root)}  # fmt: skip
            good.append(question)
            bad.append({**question, "Leaf": b64(make_leaf(index, "forged"))})
            bad.append({**question, "NewRoot": b64(changed(one.root))})
            bad.append({**question, "Old": (index + 1) % one.size} if one.size > 1 else {**question, "Old": 1})
            bad += [
                {**question, "Path": [*path[:at], b64(changed(proven.path[at])), *path[at + 1 :]]}
                for at in range(len(path))
            ]
        assert ask(good) == [GOOD] * len(good)
        refused = ask(bad)
        assert len(refused) == len(bad)
        assert GOOD not in refused


async def test_go_takes_our_proofs_of_consistency_and_no_changed_one(log):
    """From each checkpoint to each later one; another root or hash is refused."""
    store, _, read = log
    good, bad = [], []
    for at, old in enumerate(read):
        for new in read[at:]:
            path = await prove_consistency(store, old.size, new.size)
            question = {"Ask": "consistency", "Path": list(map(b64, path)), "Old": old.size, "New": new.size,
                        "OldRoot": b64(old.root), "NewRoot": b64(new.root)}  # fmt: skip
            good.append(question)
            bad.append({**question, "OldRoot": b64(changed(old.root))})
            bad.append({**question, "NewRoot": b64(changed(new.root))})
            bad += [{**question, "Path": [*question["Path"][:n], b64(changed(path[n])), *question["Path"][n + 1 :]]}
                    for n in range(len(path))]  # fmt: skip
    assert ask(good) == [GOOD] * len(good)
    refused = ask(bad)
    assert len(refused) == len(bad)
    assert GOOD not in refused
