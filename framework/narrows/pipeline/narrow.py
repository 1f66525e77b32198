"""Step 9: the declared output type and nothing else.

A handler may answer an object of a subclass with more fields, at any depth. So the answer is written, read with the
declared type, which skips every other field, and written again: only what was read goes out.
"""

from __future__ import annotations

import msgspec
from msgspec import inspect as mi

from narrows.call import Call, Page, Reply
from narrows.declare.shape import bare, leaves
from narrows.errors import AlreadyAttempted
from narrows.pipeline.replies import JSON
from narrows.pipeline.step import Preparing, Step
from narrows.upstreams.narrowing import left_out


def prepare(preparing: Preparing) -> Step:
    """Make the step for one endpoint, and refuse an output that is not a type."""
    shape, endpoint = preparing.shape, preparing.endpoint
    if shape.answer is None:
        return _nothing
    if shape.answer is Page:
        if not endpoint.builtin:
            preparing.refuse("answer-untyped", "it answers bytes, which nothing narrows", "answer a narrows.Narrow")
        return _page
    _refuse_open(preparing)
    encoder = msgspec.json.Encoder()
    decoder = msgspec.json.Decoder(shape.answer)

    async def narrow(call: Call) -> None:
        written = encoder.encode(call.answer)
        try:
            kept = decoder.decode(written)
        except msgspec.DecodeError:
            if not call.replayed:
                raise
            raise AlreadyAttempted("It was carried out; its answer is not of the form of today.") from None
        if call.mode != "live":
            call.left_out |= left_out("answer", written, kept)
        call.answer = kept
        call.reply = Reply(endpoint.status, [JSON], encoder.encode(kept))

    return narrow


async def _nothing(call: Call) -> None:
    call.answer = None
    call.reply = Reply(204, [], b"")


async def _page(call: Call) -> None:
    """Bytes with their own status, type and headers."""
    page: Page = call.answer
    call.reply = Reply(page.status, [("content-type", page.media_type), *page.headers], page.body)


def _refuse_open(preparing: Preparing) -> None:
    for leaf in leaves(preparing.shape.answer, "answer"):
        if isinstance(bare(leaf.info), mi.AnyType | mi.RawType | mi.CustomType):
            preparing.refuse("answer-untyped", f"`{leaf.path}` answers anything", f"give `{leaf.path}` a type")
