"""Each test leaves logging, the import path, the signals and the current folder as they were."""

import logging
import signal
import sys

import pytest


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    loggers = [logging.getLogger(name) for name in ("", "narrows", "uvicorn.error")]
    before = [(log.handlers[:], log.level) for log in loggers]
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)
    for log, (handlers, level) in zip(loggers, before, strict=True):
        log.handlers = handlers
        log.setLevel(level)
