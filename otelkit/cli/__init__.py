"""The command line: ``otelkit COMMAND``; each command is a module with ``add_parser`` and ``run``."""

from otelkit.cli.main import main

__all__ = ["main"]
