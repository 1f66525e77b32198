"""`python -m narrows.cli`: the `narrows` command by the interpreter that runs it, as workers are started."""

from narrows.cli import main

main(prog_name="narrows")
