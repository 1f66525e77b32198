"""Sealed bytes open only with their key, their purpose and what they were bound to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.stores.sealing import KEY_BYTES, Sealer, frame

KEY = bytes(range(KEY_BYTES))


def test_sealed_bytes_open_again():
    """What was sealed comes back with the same key and associated data, also in another process's sealer."""
    sealed = Sealer(KEY).seal(b"document", b"row 1")
    assert Sealer(KEY).open(sealed, b"row 1") == b"document"


def test_every_changed_byte_is_noticed():
    """No byte of a sealed document can be changed, cut off or added."""
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"document", b"row 1")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        assert sealer.open(changed, b"row 1") is None
        assert sealer.open(sealed[:place], b"row 1") is None
    assert sealer.open(sealed + b"\0", b"row 1") is None


def test_other_row_key_or_purpose_does_not_open():
    """A sealed document opens neither in another row, nor with another key, nor for another purpose."""
    sealed = Sealer(KEY).seal(b"document", b"row 1")
    assert Sealer(KEY).open(sealed, b"row 2") is None
    assert Sealer(bytes(KEY_BYTES)).open(sealed, b"row 1") is None
    assert Sealer(KEY, purpose="tokens").open(sealed, b"row 1") is None


def test_equal_documents_look_different():
    """Sealing the same document twice shows nobody that it is the same."""
    sealer = Sealer(KEY)
    assert sealer.seal(b"document", b"") != sealer.seal(b"document", b"")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size):
    """Only 32 bytes are a key, and the message says how many there were."""
    with pytest.raises(ValueError, match=f"32 bytes, this one has {size}"):
        Sealer(bytes(size))


def test_nothing_printed_shows_the_key():
    """Neither the text of a sealer nor of its parts holds the key."""
    assert KEY.hex() not in repr(Sealer(KEY)) + str(vars(Sealer(KEY)))
    assert repr(KEY) not in str(vars(Sealer(KEY)))


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_two_lists_of_names_never_share_a_digest(one, other):
    """Digests are equal exactly when all parts are, wherever a separator could be put."""
    sealer = Sealer(KEY)
    assert (sealer.digest(*one) == sealer.digest(*other)) == (one == other)
    assert (frame(*one) == frame(*other)) == (one == other)


def test_digests_need_the_key_and_the_purpose():
    """Who does not hold the key cannot try names, and two purposes cannot be joined."""
    digests = {Sealer(KEY).digest("ann"), Sealer(bytes(32)).digest("ann"), Sealer(KEY, purpose="other").digest("ann")}
    assert len(digests) == 3


def test_names_that_are_not_unicode_are_digested():
    """A lone surrogate, which JSON can carry, does not break a digest."""
    assert Sealer(KEY).digest("\ud800") != Sealer(KEY).digest("\ud801")
