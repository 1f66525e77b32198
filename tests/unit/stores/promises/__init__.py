"""The promises that every engine of a store keeps: a test file for an engine makes the fixtures and imports all of one.

Embedded engines are tested beside this folder, those on servers in tests/interop.
"""
