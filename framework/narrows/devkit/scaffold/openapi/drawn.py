"""What a document became, before the files around it are made."""

from __future__ import annotations

import msgspec

from narrows.devkit.scaffold.openapi.gaps import Remark
from narrows.devkit.scaffold.openapi.operations import Made


class Drawn(msgspec.Struct, frozen=True):
    """What a document became: texts of files by their names, and what the rest of the scaffold needs to know.

    `domains` are the kinds of domains that endpoints are within, `whole` says that some are within the BFF alone,
    `scopes` are what callers need, `asks` what the upstream is asked for, `open_ids` the object ids that nothing binds,
    by endpoint. `remarks` are the holes and notes, in the order of the document.
    """

    files: dict[str, str]
    upstream: str
    key: str
    operations: tuple[Made, ...]
    models: int
    domains: tuple[str, ...]
    whole: bool
    scopes: tuple[str, ...]
    asks: tuple[str, ...]
    open_ids: dict[str, list[str]]
    remarks: tuple[Remark, ...]

    @property
    def holes(self) -> list[Remark]:
        """What the start will refuse until it is filled."""
        return [remark for remark in self.remarks if remark.kind == "hole"]
