"""Rego in a process of its own: the form that is accepted, the tests that must pass, and the engine with its bounds."""
