"""`make interop` installs what is missing, and leaves no server of the system running."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop.hostile import ROOT

# The programs of the script itself; all others are missing from its path.
ITS_OWN = ("bash", "dirname", "chmod", "rm", "ls", "cat", "env", "test")
APT = """#!/bin/bash
echo "$@" >>{log}
if [ "$1" = install ]; then cat {policy} >>{log}; exit 7; fi
"""


@pytest.fixture
def run(tmp_path):
    """Runs the script with a path on which only some programs are; gives its code, its words, and apt-get's calls."""

    def run(*present, uid=0, apt=True, server=False):
        programs = tmp_path / "bin"
        programs.mkdir()
        for name in (*ITS_OWN, *present):
            (programs / name).symlink_to(shutil.which(name) or shutil.which("true"))
        log, policy = tmp_path / "apt", tmp_path / "policy-rc.d"
        log.touch()
        fakes = {"id": f"#!/bin/bash\necho {uid}\n"} | ({"apt-get": APT.format(log=log, policy=policy)} if apt else {})
        for name, text in fakes.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        done = subprocess.run(  # noqa: S603 # the script of the project
            [shutil.which("bash"), str(ROOT / ".ci" / "setup-interop")],
            env={"PATH": str(programs), "POLICY_RC_D": str(policy), "HOME": os.environ["HOME"]},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, log.read_text().splitlines(), policy.exists()

    return run


def test_what_is_missing_is_installed_and_no_server_is_started(run):
    """Debian asks a policy before it starts one: it says no for as long as the installation takes."""
    code, said, asked, policy_left = run("chromium", "npm", "promtool")
    has_server = any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    wanted = ["redis-server", *([] if has_server else ["postgresql"]), "wrk"]
    assert asked == [
        "update",
        f"install --no-install-recommends {' '.join(wanted)} --yes",
        "#!/bin/sh",
        "exit 101",
    ], said
    assert (code, policy_left) == (7, False)


def test_whoever_may_not_install_is_told_how(run):
    """By one command to copy; and where there is no apt-get, what to install."""
    code, said, asked, _ = run("chromium", "npm", "promtool", "redis-server", uid=1000)
    assert (code, asked) == (1, [])
    assert "Run: sudo apt-get install --no-install-recommends " in said
    assert "wrk" in said
    assert "redis-server" not in said


def test_without_apt_get_the_packages_are_named(run):
    """Nothing is guessed of another system."""
    code, said, _, _ = run(apt=False)
    assert code == 1
    for package in ("chromium", "npm", "redis-server", "prometheus", "wrk"):
        assert package in said
