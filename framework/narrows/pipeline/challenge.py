"""The challenges of RFC 6750, 3: where to sign in, and what the token that came is not."""

from __future__ import annotations

from typing import Literal

from narrows.settings import Settings

Error = Literal["invalid_request", "invalid_token", "insufficient_scope"]


def challenge(settings: Settings, error: Error | None = None, scope: str | None = None) -> dict[str, str]:
    """The header of one challenge; without `error` for a request that brought no credentials (RFC 6750, 3.1).

    It leads to the metadata of RFC 9728 under the public URL of the settings, and never repeats anything of a request.
    """
    base = settings.public_url.rstrip("/")
    members = {
        "resource_metadata": f"{base}/.well-known/oauth-protected-resource",
        "error": error,
        "scope": scope,
    }
    return {"WWW-Authenticate": "Bearer " + ", ".join(f'{k}="{v}"' for k, v in members.items() if v is not None)}
