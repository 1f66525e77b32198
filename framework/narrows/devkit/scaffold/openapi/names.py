"""Names for code: made of a document's names, but never equal to one that means something else in Python or here."""

from __future__ import annotations

import builtins
import hashlib
import keyword
import re
import unicodedata

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST = 48

# What stands in a type expression: a field of that name would hide it from the fields below.
_IN_TYPES = frozenset({"bool", "date", "dict", "field", "float", "hole", "int", "list", "str"})

# What the generated files import or write themselves, what an Upstream has of its own, and what Python means.
_TAKEN = frozenset({
    "Annotated", "Answer", "Bff", "Input", "Literal", "Meta", "Moment", "Narrow", "Problem", "UUID", "Upstream", "ID",
    "annotations", "app", "bff", "date", "datetime", "field", "hole", "key", "narrows", "operations", "read", "self",
    "cls", "write", "call", "caller", "body", "within", "mro", "reviewed",
    "Any", "Call", "Caller", "Id", "Money", "NumberId", "Operation", "Settings", "Surroundings",
})  # fmt: skip
_PYTHON = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})


def snake(text: str) -> str:
    """A name for a field, a parameter or a function: `pull-request/{ID}` becomes `pull_request_id`."""
    name = _cut("_".join(word.lower() for word in _words(text)), text, "_")
    # A single l reads as 1.
    return name + "_" if name in _PYTHON or name in _TAKEN or name == "l" else name


def attribute(text: str) -> str:
    """A name for a field, which may be called `id` or `type`."""
    name = snake(text)
    plain = name.removesuffix("_")
    free = plain not in _IN_TYPES and not keyword.iskeyword(plain) and plain != "l"
    return plain if free else name


def camel(text: str) -> str:
    """A part of a name for a class: `pull-request` becomes `PullRequest`."""
    return _cut("".join(word.lower().capitalize() for word in _words(text)), text, "")


def pascal(text: str) -> str:
    """A name for a class, which hides nothing."""
    name = camel(text)
    return name + "Type" if name in _PYTHON or name in _TAKEN else name


def short(name: str) -> str:
    """A name for a type, cut where a line would grow too long."""
    return _cut(name, name, "")


def distinct(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it when it is taken; it is taken from then on."""
    made, number = name, 2
    while made in taken:
        made = f"{name}{'_' if name.islower() else ''}{number}"
        number += 1
    taken.add(made)
    return made


def _words(text: str) -> list[str]:
    """The words of a name in ASCII; a name with other letters gets a mark, so that look-alikes stay apart."""
    folded = unicodedata.normalize("NFKD", text[:400]).encode("ascii", "ignore").decode()
    words = _WORD.findall(folded) or ["unnamed"]
    if not words[0][0].isalpha():
        words.insert(0, "n")
    return words if text.isascii() else [*words, _mark(text)]


def _cut(name: str, text: str, joint: str) -> str:
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 8].rstrip('_')}{joint}{_mark(text)}"


def _mark(text: str) -> str:
    return "x" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
