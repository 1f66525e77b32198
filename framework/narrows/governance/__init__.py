"""Who may connect, and by which rules: it reads declarations and records, never a request."""
