"""Checkpoints are notes of C2SP: what a known key signed is read, and nothing else is believed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.audit.checkpoint import Checkpoint, CheckpointRefused, PublicKey, Signer, read_checkpoint, size_of
from tests.unit.audit.logs import KEYS, ORIGIN, OTHER, SIGNER

ROOT = bytes(range(32))
NOTE = SIGNER.sign(7, ROOT)
[KEY] = KEYS
STRANGER = f"\u2014 witness.test {base64.b64encode(bytes(68)).decode()}\n"


def test_a_note_is_read_as_it_was_signed():
    """Its log, its size and its root."""
    assert read_checkpoint(NOTE, KEYS) == Checkpoint(ORIGIN, 7, ROOT)
    assert size_of(NOTE) == 7


def test_a_note_has_the_form_that_others_read():
    """Three lines, an empty one, and a signature with the id of its key in front."""
    text, signature = NOTE.split("\n\n")
    assert text == f"{ORIGIN}\n7\n{base64.b64encode(ROOT).decode()}"
    dash, name, encoded = signature.rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    raw = base64.b64decode(encoded)
    assert (raw[:4], len(raw)) == (KEY.id, 68)


def test_go_reads_this_key():
    """The example of Go's own `note` package: its name, the id of its key, and the key."""
    written = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    key = PublicKey.parse(written)
    assert (key.name, str(key), key.id.hex()) == ("PeterNeumann", written, "c74f20a3")


def test_signatures_of_strangers_are_passed_over():
    """Witnesses may sign too, before and after; and a stranger alone is nobody."""
    text, own = NOTE.split("\n\n")
    for signatures in (own + STRANGER, STRANGER + own):
        assert read_checkpoint(f"{text}\n\n{signatures}", KEYS).size == 7
    with pytest.raises(CheckpointRefused, match=r"No known key of 'bff\.test/lunch'"):
        read_checkpoint(f"{text}\n\n{STRANGER}", KEYS)
    with pytest.raises(CheckpointRefused, match="No known key"):
        read_checkpoint(OTHER.sign(7, ROOT), KEYS)


def test_a_known_key_that_did_not_sign_is_told():
    """Such a note was made up, whoever else signed it."""
    text, own = NOTE.split("\n\n")
    forged = f"{text.replace('7', '8')}\n\n{own}"
    for note in (forged, forged + OTHER.sign(8, ROOT).split("\n\n")[1]):
        with pytest.raises(CheckpointRefused, match="does not hold"):
            read_checkpoint(note, [*KEYS, *OTHER.public])


def test_a_key_of_another_log_signs_nothing_here():
    """A note of one log under the key of another is no checkpoint of either."""
    foreign = Signer("bff.test/other", [bytes(32)])
    text = NOTE.split("\n\n")[0]
    signature = foreign.sign(7, ROOT).split("\n\n")[1]
    with pytest.raises(CheckpointRefused):
        read_checkpoint(f"{text}\n\n{signature}", foreign.public)
    note = Signer(ORIGIN, [bytes(32)]).sign(7, ROOT)
    with pytest.raises(CheckpointRefused, match="No known key"):
        read_checkpoint(note, foreign.public)


def test_while_keys_are_changed_both_sign():
    """So that whoever knows the one or the other can go on."""
    both = Signer(ORIGIN, [b"k" * 32, bytes(32)])
    note = both.sign(7, ROOT)
    for known in (KEYS, OTHER.public, both.public):
        assert read_checkpoint(note, known).size == 7


def test_more_lines_are_signed_and_not_read():
    """C2SP lets a log say more."""
    text = f"{Checkpoint(ORIGIN, 7, ROOT).text()}more\n"
    signature = base64.b64encode(KEY.id + SIGNER._keys[0].sign(text.encode())).decode()
    assert read_checkpoint(f"{text}\n\u2014 {ORIGIN} {signature}\n", KEYS).root == ROOT


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE.rstrip("\n"),
        NOTE + "\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\u2014", "-"),
        NOTE.replace("\u2014 ", "\u2014"),
        NOTE.replace(f"\u2014 {ORIGIN}", "\u2014 a+b"),
        NOTE.replace("\n7\n", "\n07\n"),
        NOTE.replace("\n7\n", "\n-7\n"),
        NOTE.replace("\n7\n", "\n7 \n"),
        NOTE.replace("\n7\n", "\n\u0667\n"),
        NOTE.replace("\n7\n", f"\n{'9' * 5000}\n"),
        NOTE.replace("\n7\n", f"\n{2**63}\n"),
        NOTE.replace(f"{ORIGIN}\n7", "\n7"),
        NOTE.replace("\n7\n", "\n"),
        NOTE.replace(base64.b64encode(ROOT).decode(), "AAAA"),
        NOTE.replace(base64.b64encode(ROOT).decode(), "!"),
        NOTE.replace("=\n\n", "\n\n"),
        NOTE[:-2] + "!\n",
        NOTE + "\u2014 short AAAA\n",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("lunch", "lunch\x07"),
        NOTE + STRANGER * 100,
        NOTE.replace("\n\n", f"\n{'x' * 70_000}\n\n"),
    ],
)
def test_what_has_another_form_is_no_checkpoint(note):
    """However little is different."""
    with pytest.raises(CheckpointRefused, match=r"no checkpoint|does not hold"):
        read_checkpoint(note, KEYS)


@given(st.text())
def test_no_text_breaks_the_reader(note):
    """It is read or refused."""
    for each in (note, NOTE.replace("7", note), NOTE + note):
        try:
            assert read_checkpoint(each, KEYS) == Checkpoint(ORIGIN, 7, ROOT)
        except CheckpointRefused:
            assert each != NOTE
        assert size_of(each) is None or isinstance(size_of(each), int)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "no public key"),
        ("name", "no public key"),
        ("name+00000000+AAAA", "no public key"),
        (str(KEY).replace("+A", "+B"), "no public key"),
        (str(KEY)[:-4], "no public key"),
        (str(KEY).replace("lunch", "lu nch"), "no public key"),
        (str(KEY).replace(KEY.id.hex(), "00000000"), "another key"),
        (str(KEY).replace("lunch", "other"), "another key"),
    ],
)
def test_what_is_no_public_key_is_refused(written, why):
    """And a key that was copied in part."""
    with pytest.raises(CheckpointRefused, match=why):
        PublicKey.parse(written)


def test_a_public_key_is_read_as_it_is_written():
    """With what stands around it in a file."""
    assert PublicKey.parse(f" {KEY}\n") == KEY
