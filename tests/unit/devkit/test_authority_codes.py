from narrows.devkit.authority_codes import Code, Codes
from tests.unit.devkit.world import Clock


def codes():
    """Codes, their clock, and the list of what they revoked."""
    clock, revoked = Clock(), []
    return Codes(now=clock, random=bytes, revoke=revoked.append), clock, revoked


def a_code(**changed):
    """A code of the copilot for Ann."""
    given = {
        "client_id": "copilot", "redirect_uri": "u", "scope": "s", "audience": "a", "subject": "ann-1",
        "code_challenge": "c", "signed_in_at": 1,
    }  # fmt: skip
    return Code(**{**given, **changed})


def test_a_code_is_good_once_for_its_client():
    """Another client does not get it and does not use it up; its own client gets it once."""
    kept, _, revoked = codes()
    kept.save("v", a_code())
    assert kept.spend("v", "other") is None
    code = kept.spend("v", "copilot")
    assert (code.get_redirect_uri(), code.get_scope()) == ("u", "s")
    code.jti = "token-1"
    assert kept.spend("v", "copilot") is None
    assert revoked == ["token-1"]


def test_a_code_used_twice_before_its_token_revokes_nothing_else():
    """The second use of a code that brought no token ends no token."""
    kept, _, revoked = codes()
    kept.save("v", a_code())
    kept.spend("v", "copilot")
    assert kept.spend("v", "copilot") is None
    assert revoked == [""]


def test_a_code_lives_sixty_seconds():
    """At sixty seconds a code does not hold, and the next one sweeps it away."""
    kept, clock, _ = codes()
    kept.save("v", a_code())
    clock.at += 60
    assert kept.spend("v", "copilot") is None
    kept.save("w", a_code())
    assert list(kept._codes) == ["w"]


def test_a_revoked_subject_has_no_codes():
    """Dropping a subject drops its codes and no others."""
    kept, _, _ = codes()
    kept.save("v", a_code())
    kept.save("w", a_code(subject="bob-2"))
    kept.drop_subject("ann-1")
    assert kept.spend("v", "copilot") is None
    assert kept.spend("w", "copilot")


def test_a_code_hides_in_its_repr_and_is_long():
    """The challenge does not show when a code is printed; a new value has 32 random bytes."""
    kept, _, _ = codes()
    assert repr(a_code()) == "Code('copilot', 'ann-1', spent=False)"
    assert len(kept.new_value()) == 43
