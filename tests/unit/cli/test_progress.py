"""What a long command is doing is told to a terminal alone."""

import io

from narrows.cli.progress import Progress


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self):
        return True


def run(stream):
    """Two steps of two."""
    with Progress(2, stream) as progress:
        progress.step("one")
        progress.step("two")
    return stream.getvalue()


def test_a_person_sees_each_step_and_then_nothing():
    """The line is written over, and gone at the end."""
    assert run(Terminal()) == "\r\x1b[K[1/2] one …\r\x1b[K[2/2] two …\r\x1b[K"


def test_a_file_holds_no_progress():
    """In a build the log stays clean."""
    assert run(io.StringIO()) == ""
