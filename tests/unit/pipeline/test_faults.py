from typing import Literal

import msgspec
import pytest

from narrows.errors import Forbidden, OperationRefused
from narrows.pipeline.faults import tell

SECRET = "anna earns 52000"


def raised(fault: BaseException, cause: BaseException | None = None) -> BaseException:
    """A fault as it is once it was raised."""
    try:
        raise fault from cause
    except BaseException as caught:
        return caught


def test_the_text_of_a_fault_is_not_told() -> None:
    """A log is read by more people than may read an upstream's data."""
    told = tell(raised(ValueError(SECRET)))
    assert told.startswith("ValueError at ")
    assert f"{__file__}:" in told
    assert "in raised" in told
    assert "52000" not in told


def test_the_text_of_a_problem_is_not_told() -> None:
    """Teams write the details of problems."""
    assert "52000" not in tell(raised(Forbidden(SECRET)))


def test_a_text_of_narrows_own_is_told() -> None:
    """What a handler did wrong stands in the log, or nobody could mend it."""
    assert tell(raised(OperationRefused("People.team is not in `uses`"))).startswith(
        "OperationRefused (People.team is not in `uses`) at "
    )


def test_of_msgspec_only_the_place_is_told() -> None:
    """A value of a closed list stands in msgspec's message, and not in the log."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"diet": SECRET}, dict[str, Literal["vegan"]])
    assert "52000" in str(caught.value)
    told = tell(caught.value)
    assert told.startswith("ValidationError (at $[...]) at ")
    assert "52000" not in told


def test_a_message_of_msgspec_without_place_is_left_out() -> None:
    """Where there is no place, there is nothing to tell."""
    assert tell(msgspec.ValidationError(SECRET)) == "ValidationError at no line"


def test_causes_are_told_the_nearest_first() -> None:
    """The fault that began it all is the one to look for."""
    told = tell(raised(RuntimeError(), raised(KeyError(SECRET))))
    assert [part.split(" at ")[0] for part in told.split("; caused by ")] == ["RuntimeError", "KeyError"]


def fails_while_failing() -> None:
    """Raise a fault while another one is handled."""
    try:
        raise KeyError
    except KeyError:
        raise ValueError("second")  # noqa: B904 - the context is what is tested


def test_what_was_handled_before_is_told_unless_it_was_put_aside() -> None:
    """`raise … from None` says that the first fault does not matter."""
    with pytest.raises(ValueError, match="second") as caught:
        fails_while_failing()
    assert "KeyError" in tell(caught.value)
    caught.value.__suppress_context__ = True
    assert "KeyError" not in tell(caught.value)


def test_a_long_chain_of_causes_is_cut() -> None:
    """One line stays one line."""
    fault = raised(ValueError())
    for _ in range(10):
        fault = raised(ValueError(), fault)
    assert tell(fault).count("ValueError") == 4


def test_a_deep_stack_is_cut_to_its_inner_end() -> None:
    """The place where it failed matters more than the way there."""

    def deep(levels: int) -> None:
        if not levels:
            raise LookupError
        deep(levels - 1)

    with pytest.raises(LookupError) as caught:
        deep(50)
    assert tell(caught.value).count(" in deep") == 8
