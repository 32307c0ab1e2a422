"""``python -m otelkit.cli``."""

import sys

from otelkit.cli.main import main

sys.exit(main())
