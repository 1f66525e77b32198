"""What teams write: frozen values without any input or output."""
