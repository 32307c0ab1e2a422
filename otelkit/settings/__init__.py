"""Every option, once; this room is the only reader of the environment.

Precedence: argument, then ``OTELKIT_*``, then the standard ``OTEL_*`` variable, then an alias other tools know,
then the default. A wrong value raises one :class:`~otelkit.errors.SettingsError` at start that names the variable, the
value's shape (never a secret's value) and what is allowed.
"""

from otelkit.settings.environment import (
    DESTINATIONS,
    current_environment,
    data_directory,
    load,
    package_version,
    read_table,
    without_credentials,
    without_telemetry_options,
)
from otelkit.settings.options import OPTIONS, Option, Settings

__all__ = [
    "DESTINATIONS",
    "OPTIONS",
    "Option",
    "Settings",
    "current_environment",
    "data_directory",
    "load",
    "package_version",
    "read_table",
    "without_credentials",
    "without_telemetry_options",
]
