import re

import pytest

from narrows.devkit.pkce import BadVerifier, challenge, new_verifier


def test_the_challenge_is_that_of_the_rfc():
    """The example of RFC 7636, appendix B, holds."""
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_comes_from_the_random_bytes_given():
    """The same random bytes give the same verifier, in the allowed characters."""
    verifier = new_verifier(lambda count: bytes(range(count)))
    assert verifier == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", new_verifier())


@pytest.mark.parametrize("text", ["short", "x" * 129, "ä" * 43, "x" * 43 + "\n", "x" * 42 + "="])
def test_what_is_no_verifier_is_refused_without_being_repeated(text):
    """A challenge is made of nothing but a well-formed verifier, and the error does not show the text."""
    with pytest.raises(BadVerifier, match="43 to 128") as caught:
        challenge(text)
    assert text not in str(caught.value)
