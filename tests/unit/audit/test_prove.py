"""Proofs that a record is in the log, and that the log only grew, hold for whoever has the key and nothing else."""

import pytest

from narrows.audit.checkpoint import CheckpointRefused, read_checkpoint
from narrows.audit.prove import check_consistency, check_inclusion, prove_consistency, prove_inclusion
from tests.unit.audit.logs import KEYS, OTHER, add, make_leaf, make_log


@pytest.mark.parametrize("index", [0, 1, 4, 8])
async def test_a_record_is_proven_to_be_in_the_log(index):
    """The proof leads from the record, at its place, to the checkpoint, and from nothing else."""
    store, notes = await make_log(5, 9)
    proven = await prove_inclusion(store, index, notes[-1])
    assert proven.leaf == make_leaf(index)
    assert check_inclusion(str(proven), proven.leaf, KEYS) == read_checkpoint(notes[-1], KEYS)
    with pytest.raises(CheckpointRefused, match="does not lead"):
        check_inclusion(str(proven), make_leaf(index, "other"), KEYS)
    with pytest.raises(CheckpointRefused, match="does not lead"):
        check_inclusion(str(proven).replace(f"index {index}", f"index {index + 1}"), proven.leaf, KEYS)
    with pytest.raises(CheckpointRefused, match="No known key"):
        check_inclusion(str(proven), proven.leaf, OTHER.public)
    lines = str(proven).split("\n")
    for wrong in ("!", "AAAA"):
        with pytest.raises(CheckpointRefused, match="does not lead"):
            check_inclusion("\n".join([*lines[:2], wrong, *lines[3:]]), proven.leaf, KEYS)


async def test_a_proof_has_the_form_that_others_read():
    """That of C2SP's tlog-proof."""
    store, [note] = await make_log(3)
    lines = str(await prove_inclusion(store, 2, note)).split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert lines[3] == ""
    assert "\n".join(lines[4:]) == note


@pytest.mark.parametrize(
    "text",
    ["", "c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2\nindex 0\n\n", "c2sp.org/tlog-proof@v1\nindex -1\n\n",
     "c2sp.org/tlog-proof@v1\nindex \u0667\n\n", f"c2sp.org/tlog-proof@v1\nindex {'9' * 5000}\n\n"],
)  # fmt: skip
def test_what_is_no_proof_is_refused(text):
    """Whatever it is."""
    with pytest.raises(CheckpointRefused, match="no proof"):
        check_inclusion(text, b"", KEYS)


async def test_what_is_not_there_cannot_be_proven():
    """A record after the checkpoint, a checkpoint that is none, a hash that is gone."""
    store, [note] = await make_log(3)
    await add(store, make_leaf(3), signer=None)
    for index, checkpoint in ((3, note), (0, "no note")):
        with pytest.raises(ValueError, match="not in a tree"):
            await prove_inclusion(store, index, checkpoint)
    store._nodes.clear()
    with pytest.raises(ValueError, match="lost the hash"):
        await prove_inclusion(store, 0, note)


async def test_a_log_is_proven_to_go_on():
    """From each of its checkpoints to each later one, and not the other way."""
    store, notes = await make_log(3, 5, 9)
    read = [read_checkpoint(note, KEYS) for note in notes]
    for at, old in enumerate(read):
        for new in read[at:]:
            path = await prove_consistency(store, old.size, new.size)
            check_consistency(old, new, path)
            with pytest.raises(CheckpointRefused, match="not shown to go on"):
                check_consistency(old, new._replace(root=bytes(32)), path)
            with pytest.raises(CheckpointRefused, match="not shown to go on"):
                check_consistency(old, new._replace(origin="bff.test/other"), path)
    for old, new in ((0, 9), (9, 5)):
        with pytest.raises(ValueError, match="no tree"):
            await prove_consistency(store, old, new)
