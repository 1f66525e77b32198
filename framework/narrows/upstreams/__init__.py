"""The only room that talks to backends."""
