"""``python -m perfcore``."""

from perfcore.cli import main

main(prog_name="perfcore")
