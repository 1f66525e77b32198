import pytest

from narrows.sdk.keys import keys


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["corp", "partner-2.eu_x"], ["corp", "partner-2.eu_x"]),
        (["a b", "über/1"], ["a_b", "_ber_1"]),
        (["a", "a", "a-2", "a"], ["a", "a-2", "a-2-2", "a-3"]),
        ([], []),
    ],
)
def test_keys_are_unique_and_of_allowed_characters(names: list[str], expected: list[str]) -> None:
    """Each name gets a key of its own that OpenAPI allows, and keeps its own text where it can."""
    assert keys(names) == expected
