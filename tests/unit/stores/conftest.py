"""What the tests of all stores share: a clock that is set, and not moved as that of `narrows.testing` is."""

import pytest


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.time = 1_790_000_000.25

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()
