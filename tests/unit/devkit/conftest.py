import pytest

from tests.unit.devkit.world import World


@pytest.fixture
async def world():
    """A fresh world, its client closed afterwards."""
    made = World()
    yield made
    await made.http.aclose()
