"""``make stack``: build the real programs that the tests run, once a machine.

``python -m tests.stack.build`` builds what is not in the cache yet and says how long it takes. Each Go module is pinned
with the hash of everything it links (``go.sum``).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from otelkit.errors import OtelkitError
from otelkit.provision.distribution.building import go_environment, require_go
from tests.stack.parts import COLLECTOR, PARTS, Part, cache

_STRIPPED: Final = ("-trimpath", "-ldflags=-s -w")


def main() -> int:
    """Build what is missing; 1 where something cannot be built, with what to install."""
    wanted = [part for part in PARTS if not part.built]
    if not wanted:
        print(f"stack: all programs are in {cache()}")
        return 0
    try:
        require_go(os.environ)
    except OtelkitError as error:
        names = ", ".join(name for part in wanted for name in part.programs)
        print(f"stack: {error}\nstack: without it the tests that run {names} are skipped.", file=sys.stderr)
        return 1
    for left in cache().glob(".*"):  # of a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    for number, part in enumerate(wanted, 1):
        print(f"stack: building {part.name} ({number} of {len(wanted)}, about {part.minutes} min)", flush=True)
        started = time.monotonic()
        if not _build(part):
            return 1
        print(f"stack: {part.name} took {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _build(part: Part) -> bool:
    """Build into a folder beside the final one, so that an interrupted build leaves nothing that looks whole."""
    part.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=part.folder.parent, prefix=f".{part.name}-") as place:
        made = _collector(Path(place)) if part is COLLECTOR else _wrapped(part, Path(place))
        if not made:
            return False
        part.folder.mkdir(exist_ok=True)
        for name in part.programs:
            os.replace(Path(place) / name, part.folder / name)
    return True


def _wrapped(part: Part, place: Path) -> bool:
    imports = re.findall(r'_ "([^"]+)"', (part.source / "tools.go").read_text("utf-8"))
    command = ["go", "build", "-mod=readonly", *_STRIPPED, "-o", f"{place}/", *imports]
    return subprocess.run(command, cwd=part.source, env=go_environment(os.environ)).returncode == 0


def _collector(place: Path) -> bool:
    target = place / COLLECTOR.programs[0]
    command = [sys.executable, "-m", "otelkit.cli", "collector", "build", "--output", str(target)]
    return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
