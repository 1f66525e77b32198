"""Ways in: each builds a `Call`, none has a guard of its own."""
