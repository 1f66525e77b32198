"""The tests of visitors; nothing in them leaves the process."""
