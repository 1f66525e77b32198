"""Settings: `narrows.toml` and `NARROWS_…` variables, one strict type, a section per environment.

Unknown keys are refused; secrets come from a file or a variable and are masked wherever they are printed.
"""

from narrows.settings.alerting import AlertSettings, WebhookSettings
from narrows.settings.basis import Secret
from narrows.settings.parts import (
    Algorithm,
    AuditSettings,
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
    "AlertSettings",
    "Algorithm",
    "AuditSettings",
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
    "WebhookSettings",
    "is_loopback",
    "load_document",
    "load_settings",
    "merge",
    "read_settings",
]
