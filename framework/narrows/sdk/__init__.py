"""From the plan to what clients read: OpenAPI now, SDKs and connector files later."""
