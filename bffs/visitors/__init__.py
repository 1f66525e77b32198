"""The BFF visitors; app.py says what it answers."""
