import base64

import pytest

from narrows.errors import SettingsError
from narrows.pipeline.receipts import Receipts
from narrows.settings import ReceiptKey, Secret
from tests.unit.pipeline import calls


def listed(*kids: str, key: str | None = None) -> Receipts:
    """The receipts of settings with these keys."""
    text = key if key is not None else base64.b64encode(bytes(32)).decode()
    keys = [ReceiptKey(kid=kid, key=Secret(text)) for kid in kids]
    return Receipts.of(calls.settings(receipts={"keys": keys}), bytes(32))


def test_a_receipt_says_what_was_signed() -> None:
    """The id and its time come back, and nothing else is in it."""
    receipts = Receipts({"k": bytes(32)})
    signed = receipts.read(receipts.sign("r-1", 1_764_003_600))
    assert signed is not None
    assert (signed.rehearsal_id, signed.expires) == ("r-1", 1_764_003_600)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.replace("r-1", "r-2"), str.upper])
def test_what_was_changed_is_no_receipt(change: object) -> None:
    """Every part is signed."""
    receipts = Receipts({"k": bytes(32)})
    assert receipts.read(change(receipts.sign("r-1", 1))) is None  # type: ignore[operator]  # a function of texts


def test_another_key_makes_another_signature() -> None:
    """A key's name alone opens nothing."""
    assert Receipts({"k": bytes(32)}).read(Receipts({"k": bytes([1] * 32)}).sign("r-1", 1)) is None


def test_without_keys_one_is_made_from_that_of_the_stores() -> None:
    """Two processes with one `stores.key` accept each other's receipts; another key makes others."""
    one, same = (Receipts.of(calls.settings(), bytes(32)) for _ in range(2))
    other = Receipts.of(calls.settings(), bytes([1] * 32))
    assert same.read(one.sign("r-1", 1)) is not None
    assert other.read(one.sign("r-1", 1)) is None


def test_the_first_key_signs_and_the_second_still_holds() -> None:
    """That is how keys are rotated."""
    old, both = listed("old"), listed("new", "old")
    assert both.sign("r-1", 1).startswith("new.")
    assert both.read(old.sign("r-1", 1)) is not None


@pytest.mark.parametrize("key", ["", "short", "not base64 ü", base64.b64encode(bytes(31)).decode()])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """The error names the key by its kid and never shows it."""
    with pytest.raises(SettingsError, match=r"receipts\.keys: the key 'k'") as caught:
        listed("k", key=key)
    assert not key or key not in str(caught.value)


def test_two_keys_of_one_name_are_refused() -> None:
    """One of them would never be asked."""
    with pytest.raises(SettingsError, match="one kid"):
        listed("k", "k")
