from narrows.pipeline.challenge import challenge
from tests.unit.pipeline import calls

METADATA = 'resource_metadata="https://bff.test/.well-known/oauth-protected-resource"'


def test_a_challenge_without_error() -> None:
    """Who sent no credentials reads where to sign in, and no error code (RFC 6750, 3.1)."""
    assert challenge(calls.settings()) == {"WWW-Authenticate": f"Bearer {METADATA}"}


def test_a_challenge_with_error_and_scope() -> None:
    """Who lacks a scope reads all that is needed in one challenge."""
    found = challenge(calls.settings(public_url="https://bff.test/"), "insufficient_scope", "teams:read")
    assert found == {"WWW-Authenticate": f'Bearer {METADATA}, error="insufficient_scope", scope="teams:read"'}
