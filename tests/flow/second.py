"""A second issuer in the world, whose people carry the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from narrows.devkit.authority import Authority
from narrows.settings import Secret
from narrows.testing import Clock
from tests.flow.world import make_authority

OTHER = "https://other.test"


class SecondIssuer:
    """Lays a second issuer over the settings of a world; `token` is one of its tokens."""

    authority: Authority

    def __call__(
        self, over: Mapping[str, Any] | None = None, *, maps: tuple[dict[str, Any], ...] = ()
    ) -> dict[str, Any]:
        """What to make a world with; `maps` are the role claims of the second issuer."""
        self.authority = make_authority(Clock(), issuer=OTHER)
        issuers: dict[str, Any] = {
            "other": {
                "url": OTHER,
                "audience": "where2eat-api",
                "client": {"id": "where2eat-bff", "secret": Secret("bff-secret")},
                "roles": list(maps),
            }
        }
        connector = {"issuer": "other", "client_id": "where2eat-copilot", "kind": "copilot", "state": "live"}
        return {
            **(over or {}),
            "hosts": {"other.test": self.authority.app},
            "issuers": {**(over or {}).get("issuers", {}), **issuers},
            "connectors": {"other-copilot": {**connector, "tenant": "example"}},
        }

    def token(self, subject: str, **claims: Any) -> str:
        """A token of the second issuer for this BFF."""
        scope = "dining:read dining:book"
        return self.authority.issue(subject, "where2eat-copilot", "where2eat-api", scope, **claims)


second_issuer = SecondIssuer()
