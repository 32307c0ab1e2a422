"""The command line: ``otelkit COMMAND``; each command is a module with ``add_parser`` and ``run``."""
