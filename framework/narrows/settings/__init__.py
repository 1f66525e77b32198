"""Settings: `narrows.toml` and `NARROWS_…` variables, one strict type, a section per environment.

Unknown keys are refused; secrets come from a file or a variable and are masked wherever they are printed.
"""

from narrows.settings.parts import (
    Algorithm,
    ClientSettings,
    ConnectorKind,
    ConnectorSettings,
    ConnectorState,
    Environment,
    GovernanceSettings,
    IssuerSettings,
    LimitSettings,
    ReceiptKey,
    ReceiptSettings,
    RoleClaim,
    Secret,
    ServingSettings,
    Settings,
    StoreSettings,
    TelemetrySettings,
    TenantSettings,
    UpstreamSettings,
    is_loopback,
)
from narrows.settings.reading import load_document, load_settings, merge, read_settings

__all__ = [
    "Algorithm",
    "ClientSettings",
    "ConnectorKind",
    "ConnectorSettings",
    "ConnectorState",
    "Environment",
    "GovernanceSettings",
    "IssuerSettings",
    "LimitSettings",
    "ReceiptKey",
    "ReceiptSettings",
    "RoleClaim",
    "Secret",
    "ServingSettings",
    "Settings",
    "StoreSettings",
    "TelemetrySettings",
    "TenantSettings",
    "UpstreamSettings",
    "is_loopback",
    "load_document",
    "load_settings",
    "merge",
    "read_settings",
]
