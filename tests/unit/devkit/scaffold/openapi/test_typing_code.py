"""How kinds are written as types of Python."""

import pytest

from narrows.devkit.scaffold.openapi.kinds import Marked, Ref
from narrows.devkit.scaffold.openapi.typing_code import Types


def test_a_kind_without_bounds_of_its_own_is_never_written_as_one_that_has_them():
    """A reader that marked a whole object as an id is at fault: it ends here, and not in the code that is written."""
    with pytest.raises(AssertionError, match="Ref has no bounds of its own"):
        Types({}, set()).expression(Marked(Ref("Pet")), "PetId")
