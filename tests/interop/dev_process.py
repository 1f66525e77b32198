"""`narrows dev` as a process of its own, over a copy of the BFFs that a test may change."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.interop.hostile import ROOT

PATIENCE_S = 60


class Dev:
    """One `narrows dev`, over a copy of Where2Eat that a test may change; without `places` all is made up."""

    def __init__(self, folder, places=None):
        shutil.copytree(ROOT / "bffs", folder / "bffs", ignore=shutil.ignore_patterns("__pycache__"))
        self.app = folder / "bffs" / "where2eat" / "app.py"
        settings = self.app.with_name("narrows.toml")
        text = settings.read_text().replace("http://127.0.0.1:8002", places or f"http://127.0.0.1:{closed_port()}")
        settings.write_text(re.sub(r"127\.0\.0\.1:800[13]", f"127.0.0.1:{closed_port()}", text))
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "framework"), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-c", "from narrows.cli import main; main()", "dev", "bffs.where2eat.app:bff"]
        self.process = subprocess.Popen(  # noqa: S603 - ours
            [*command, "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
        )
        said = self.until("ready in")
        self.link = re.search(r"http://\S+/dev/enter/\S+", said)[0]
        self.origin = self.link.partition("/dev/")[0]

    def until(self, text):
        """What it prints, up to that."""
        said = ""
        while text not in said:
            line = self.process.stdout.readline()
            assert line, f"it ended after: {said}"
            said += line
        return said

    def token(self, person, program):
        """A token as the pages get it."""
        entered = httpx.get(self.link)
        headers = {"cookie": entered.headers["set-cookie"].partition(";")[0], "origin": self.origin}
        asked = httpx.post(f"{self.origin}/dev/api/token", json={"person": person, "program": program}, headers=headers)
        return asked.json()["token"]

    def end(self):
        """Ctrl-C, and no process is left."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{self.origin}/health")


def closed_port():
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
