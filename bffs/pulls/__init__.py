"""The BFF pulls; app.py says what it answers."""
