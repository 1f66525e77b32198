"""What runs in the engine's own process: it evaluates entry points over inputs, and imports nothing of Narrows."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from regopy import Interpreter, LogLevel, RegoError


def serve(source: BinaryIO, out: BinaryIO) -> None:
    """Read one request, and write its answer: `{"runs": [[{"value": …} | {"undefined": true} | {"error": …}]]}`.

    The request is `{"modules": {name: text}, "entrypoints": ["narrows/x/allow"], "inputs": [document]}`. A module that
    does not compile answers `{"error": text}` for all.
    """
    request = json.load(source)
    try:
        answer: dict[str, Any] = {"runs": _runs(request)}
    except (RegoError, json.JSONDecodeError) as error:
        # regopy fails to decode the text of an error where it expects that of a value.
        answer = {"error": str(error)}
    out.write(json.dumps(answer).encode())
    out.flush()


def _runs(request: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Every entry point over every input."""
    rego = Interpreter()
    rego.log_level = LogLevel.NONE
    # Without this a built-in that fails or is not there is undefined, and `not` of it is true.
    rego.strict_built_in_errors = True
    for name, text in request["modules"].items():
        rego.add_module(name, text)
    bundle = rego.build(None, request["entrypoints"])
    answers = []
    for document in request["inputs"]:
        rego.set_input(document)
        answers.append(
            [_told(str(rego.query_bundle_entrypoint(bundle, entrypoint))) for entrypoint in request["entrypoints"]]
        )
    return answers


def _told(text: str) -> dict[str, Any]:
    """What the engine says of one entry point; anything that is no value is an error."""
    if text == "undefined":
        return {"undefined": True}
    try:
        (value,) = json.loads(text)["expressions"]
    except (ValueError, KeyError, TypeError):
        return {"error": "a built-in failed, or the rule has two values"}
    return {"value": value}
