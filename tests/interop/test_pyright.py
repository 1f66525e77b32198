"""A second type checker reads a team's declarations as mypy does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DECLARATIONS = Path(__file__).parents[1] / "typing" / "pyrightconfig.json"


def test_pyright_infers_what_mypy_infers() -> None:
    """In strict mode, without a plug-in, and with no complaint."""
    pyright = Path(sys.executable).parent / "pyright"
    done = subprocess.run([pyright, "-p", DECLARATIONS], capture_output=True, text=True, check=False)  # noqa: S603 - our own files
    assert (done.returncode, done.stdout.strip().splitlines()[-1]) == (0, "0 errors, 0 warnings, 0 informations"), done
