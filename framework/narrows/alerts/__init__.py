"""What is unusual in the audit log: rules that explain themselves, who is told, and what follows."""
