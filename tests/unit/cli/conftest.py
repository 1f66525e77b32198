"""Each test leaves logging, the import path and the current folder as they were."""

import logging
import sys

import pytest


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    loggers = [logging.getLogger(name) for name in ("narrows", "uvicorn.error", "opentelemetry", "httpx")]
    before = [(log.handlers[:], log.filters[:], log.level, log.propagate) for log in loggers]
    yield tmp_path
    for log, (handlers, filters, level, propagate) in zip(loggers, before, strict=True):
        log.handlers, log.filters, log.propagate = handlers, filters, propagate
        log.setLevel(level)
