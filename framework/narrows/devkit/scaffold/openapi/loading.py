"""A document is read as data and as nothing else: bounded, without duplicate keys, aliases or tags.

Nothing that it names is opened or fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from narrows.devkit.scaffold.openapi.gaps import DocumentRefused, shown

LARGEST = 32 * 1024 * 1024
LARGEST_YAML = 12 * 1024 * 1024
DEEPEST = 400

# The core schema of YAML 1.2: `on`, `yes` and dates stay text, as JSON would have them.
_WHOLE = re.compile(r"[-+]?[0-9]{1,300}")
_REAL = re.compile(r"[-+]?(?:\.[0-9]{1,300}|[0-9]{1,300}(?:\.[0-9]{0,300})?)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
          "false": False, "False": False, "FALSE": False}  # fmt: skip
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + kind for kind in ("str", "map", "seq")}


def read(path: Path) -> Any:
    """Read a document from a file. Raises `DocumentRefused`."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise DocumentRefused(f"{path} cannot be read: {error.strerror}") from None
    try:
        return load(raw)
    except DocumentRefused as refused:
        remedy = "give the OpenAPI document itself, in JSON or YAML"
        raise DocumentRefused(f"{path}: {refused}. Remedy: {remedy}.") from None


def load(raw: bytes) -> Any:
    """Read a document in JSON, or in YAML when it does not begin as JSON does. Raises `DocumentRefused`."""
    if len(raw) > LARGEST:
        raise DocumentRefused(f"it is larger than {LARGEST // 2**20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentRefused("it is not UTF-8") from None
    return _json(text) if text.lstrip()[:1] in ("{", "[") else _yaml(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError:
        raise DocumentRefused("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise DocumentRefused(f"it is no JSON: {error.msg} at line {error.lineno}") from None
    except ValueError:  # a whole number of more digits than Python reads
        raise DocumentRefused("a number in it is too long") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise DocumentRefused(f"the key {shown(_twice(key for key, _ in pairs))} stands twice in one object")
    return made


def _twice(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add is None


def _constant(word: str) -> Any:
    raise DocumentRefused(f"{word} is no JSON")


def _yaml(text: str) -> Any:
    """Build data from YAML's events, without a constructor: an alias or a tag never becomes anything."""
    try:
        import yaml
    except ImportError:
        raise DocumentRefused("it is YAML, for which the extra is needed: pip install 'narrows[scaffold]'") from None
    if len(text) > LARGEST_YAML:
        raise DocumentRefused(f"it is YAML larger than {LARGEST_YAML // 2**20} MiB; give it as JSON")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(type(event).__name__, event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise DocumentRefused(f"it is no YAML{f' at line {mark.line + 1}' if mark else ''}") from None
    return builder.made


class _Builder:
    """What stands open while events come in, the innermost last."""

    def __init__(self) -> None:
        self.made: Any = None
        self._open: list[Any] = []
        self._keys: list[Any] = []
        self._documents = 0

    def take(self, kind: str, event: Any) -> None:
        match kind:
            case "ScalarEvent":
                self._put(_scalar(event), event)
            case "MappingStartEvent" | "SequenceStartEvent":
                self._begin({} if kind[0] == "M" else [], event)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._open.pop()
                self._keys.pop()
            case "AliasEvent":
                raise DocumentRefused(f"it uses a YAML alias at line {event.start_mark.line + 1}; write it out")
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    raise DocumentRefused("it holds more than one YAML document")

    def _begin(self, made: Any, event: Any) -> None:
        _check_tag(event)
        self._put(made, event)
        self._open.append(made)
        self._keys.append(None)
        if len(self._open) > DEEPEST:
            raise DocumentRefused("it is nested too deeply")

    def _put(self, value: Any, event: Any) -> None:
        line = event.start_mark.line + 1
        if not self._open:
            self.made = value
        elif isinstance(self._open[-1], list):
            self._open[-1].append(value)
        elif self._keys[-1] is None:
            self._keys[-1] = _key(value, event, self._open[-1], line)
        else:
            self._open[-1][self._keys[-1]] = value
            self._keys[-1] = None


def _key(value: Any, event: Any, mapping: dict[str, Any], line: int) -> str:
    """A key as text: `200:` of a response is the text "200", as in JSON."""
    if isinstance(value, dict | list):
        raise DocumentRefused(f"a key at line {line} is no text")
    key: str = event.value
    if key in mapping:
        raise DocumentRefused(f"the key {shown(key)} stands twice in one object, again at line {line}")
    return key


def _scalar(event: Any) -> Any:
    _check_tag(event)
    text: str = event.value
    if event.tag is not None or not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else text


def _check_tag(event: Any) -> None:
    if event.tag not in (None, "!", *_PLAIN_TAGS):
        raise DocumentRefused(f"it uses the YAML tag {shown(event.tag)} at line {event.start_mark.line + 1}")
