"""A secret shows itself to nobody who does not ask for it by its one method."""

import copy
import dataclasses
import io
import json
import logging
import logging.handlers
import pickle
import pprint
import string
import traceback

import msgspec
import pytest

from narrows.settings import Secret
from narrows.settings.absent import AbsentSecret

CANARY = "canary-7f3a"
SECRET = Secret(CANARY)


@dataclasses.dataclass
class Holder:
    """Something that holds one."""

    secret: Secret


class Held(msgspec.Struct):
    """Something that holds one, and is encoded."""

    secret: Secret


def logged(form: str, *arguments: object) -> str:
    """A line of a logger that formats as loggers do."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(args)s"))
    handler.handle(logging.LogRecord("x", logging.INFO, "x.py", 1, form, arguments, None))
    return stream.getvalue()


def crashed() -> str:
    """A traceback with all local variables, as tools for crashes print it."""

    def fail(secret: Secret) -> None:
        raise RuntimeError(f"with {secret}")

    try:
        fail(SECRET)
    except RuntimeError as error:
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    return ""


PRINTED = {
    "str": lambda: str(SECRET),
    "repr": lambda: repr(SECRET),
    "f-string": lambda: f"{SECRET} {SECRET!s} {SECRET!r} {SECRET:>20} {SECRET!a}",
    "percent": lambda: "%s %r %20s" % (SECRET, SECRET, SECRET),  # noqa: UP031 - what is tested
    "format": lambda: f"{SECRET} {SECRET!r:^20} {SECRET}",
    "its attributes": lambda: "".join(f"{{0.{name}}}" for name in Secret.__slots__).format(SECRET),
    "template": lambda: string.Template("$secret").substitute(secret=SECRET),
    "containers": lambda: str([SECRET, {SECRET: SECRET}, (SECRET,)]),
    "pprint": lambda: pprint.pformat({"secret": SECRET}),
    "dataclass": lambda: f"{Holder(SECRET)} {dataclasses.asdict(Holder(SECRET))}",
    "struct": lambda: repr(Held(SECRET)),
    "json with default": lambda: json.dumps({"secret": SECRET}, default=str),
    "msgspec with hook": lambda: msgspec.json.encode(Held(SECRET), enc_hook=repr).decode(),
    "log": lambda: logged("%s and %r", SECRET, SECRET),
    "traceback": crashed,
    "copies": lambda: repr((copy.copy(SECRET), copy.deepcopy([SECRET]))),
}


@pytest.mark.parametrize("how", PRINTED)
def test_whatever_prints_a_secret_prints_its_mask(how):
    """The mask is there, so that it was printed, and the secret is not."""
    printed = PRINTED[how]()
    assert CANARY not in printed
    assert "Secret(***)" in printed or how == "its attributes"


REFUSED = {
    "json": lambda: json.dumps(SECRET),
    "json of attributes": lambda: json.dumps(SECRET, default=vars),
    "msgspec": lambda: msgspec.json.encode(Held(SECRET)),
    "msgpack": lambda: msgspec.msgpack.encode(SECRET),
    "builtins": lambda: msgspec.to_builtins(Held(SECRET)),
    "pickle": lambda: pickle.dumps(Holder(SECRET)),
    "state": lambda: SECRET.__getstate__(),
    "bytes": lambda: bytes(SECRET),  # type: ignore[call-overload]
    "text": lambda: "secret: " + SECRET,  # type: ignore[operator]
    "iteration": lambda: list(SECRET),  # type: ignore[call-overload]
}


@pytest.mark.parametrize("how", REFUSED)
def test_whatever_would_take_a_secret_apart_is_refused(how):
    """And the refusal does not tell it either."""
    with pytest.raises(TypeError) as raised:
        REFUSED[how]()
    assert CANARY not in str(raised.value)


def test_a_handler_that_sends_records_on_sends_no_secret(capsys):
    """It pickles them; what it says of its failure has the mask."""
    handler = logging.handlers.SocketHandler("127.0.0.1", 9)
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "%s", (SECRET,), None)
    assert CANARY.encode() not in handler.makePickle(record)
    handler.close()


def test_a_copy_is_the_same_secret():
    """Whoever copies settings can still use them, and two of the same value are equal."""
    assert copy.deepcopy(SECRET) is SECRET
    assert SECRET == Secret(CANARY) != Secret("other")
    assert SECRET.reveal() == CANARY
    assert copy.copy(AbsentSecret("name")) != SECRET
