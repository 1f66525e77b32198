"""Where the stores of an attack lie: attacks that are run again in tests/interop put another place here."""

from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder."""
    return tmp_path
