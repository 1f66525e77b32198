"""The tests of pulls; nothing in them leaves the process."""
