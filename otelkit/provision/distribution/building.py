"""Making the Collector's program: the builder writes the sources, the committed ``go.mod`` and ``go.sum`` pin them.

The builder's own last step, ``go mod tidy``, also wants what only tests of the modules need, and fails where one of
those was never published: it is left out. What is linked is pinned by hash in ``go.sum``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from otelkit.errors import OtelkitError
from otelkit.provision.distribution import manifest

__all__ = ["build", "go_environment", "pins", "require_go"]

_GO: Final = (1, 26)
_HERE: Final = Path(__file__).parent
_PINS: Final = ("go.mod", "go.sum")
_STRIPPED: Final = ("-trimpath", "-ldflags=-s -w")
_SAY_EVERY: Final = 10.0  # seconds
_CONTRIB: Final = "github.com/open-telemetry"  # the checksum database lacks an entry of theirs
_LAST: Final = 25  # lines of a failed command's output

Say = Callable[[str], None]


def pins() -> bytes:
    """Return what the program is made of, as bytes: equal for equal programs."""
    return manifest.files()["builder.yaml"].encode() + b"".join((_HERE / name).read_bytes() for name in _PINS)


def build(target: Path, environment: Mapping[str, str], say: Say, own_manifest: Path | None = None) -> None:
    """Build the program into ``target``; nothing is there when that fails or is interrupted.

    Args:
        target: the program's path.
        environment: variables of the builder and Go.
        say: is told what happens, a line each.
        own_manifest: a ``builder.yaml`` of the user's; its modules are not pinned.

    Raises:
        OtelkitError: Go is missing or too old, the manifest is none, or a step failed; says what to do.
    """
    require_go(environment)
    told = go_environment(environment) | ({"GONOSUMDB": _CONTRIB} if own_manifest else {})
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="otelkit-collector-") as folder:
        place = Path(folder)
        say(f"writing the sources ({manifest.BUILDER.rpartition('/')[2]})")
        _write_sources(place, told, own_manifest)
        mode = "-mod=readonly"
        if own_manifest is None:
            for name in _PINS:
                shutil.copyfile(_HERE / name, place / "sources" / name)
        else:
            mode = "-mod=mod"
        say(
            "compiling: about 5 minutes on two cores the first time, seconds after that; 5 GB of modules are downloaded"
        )
        made = place / manifest.COMMAND
        command = ("go", "build", "-v", mode, *_STRIPPED, "-o", str(made), ".")
        _run(command, place / "sources", told, _Progress(say))
        unfinished = target.with_name(f".{target.name}.new")
        shutil.copyfile(made, unfinished)
        unfinished.chmod(0o755)
        unfinished.replace(target)


def go_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would have Go build something else than is pinned."""
    return {name: value for name, value in environment.items() if name != "GOFLAGS"} | {"GOWORK": "off"}


def require_go(environment: Mapping[str, str]) -> None:
    """Look for Go.

    Raises:
        OtelkitError: it is missing or too old; says which is needed and what else there is.
    """
    wanted = ".".join(map(str, _GO))
    program = shutil.which("go", path=environment.get("PATH"))
    if program is None:
        raise OtelkitError(
            f"the Collector is built with Go {wanted} or newer, and there is no `go` in PATH: install it from your "
            "package manager, or run the public contrib image with the same configuration (docs/pipeline.md)"
        )
    said = subprocess.run(  # noqa: S603 - found in PATH
        [program, "env", "GOVERSION"], env=dict(environment), capture_output=True, text=True, check=False
    ).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < _GO:
        raise OtelkitError(f"the Collector is built with Go {wanted} or newer; this is {said or 'no Go'} ({program})")


def _write_sources(place: Path, environment: Mapping[str, str], own_manifest: Path | None) -> None:
    content = yaml.safe_load(manifest.files()["builder.yaml"] if own_manifest is None else _text(own_manifest))
    if not isinstance(content, dict) or not isinstance(content.get("dist"), dict):
        raise OtelkitError(f"{own_manifest} is no manifest of the Collector's builder: it has no `dist`")
    content["dist"]["output_path"] = str(place / "sources")
    (place / "builder.yaml").write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    arguments = ("--config", str(place / "builder.yaml"), "--skip-get-modules", "--skip-compilation")
    _run(("go", "run", manifest.BUILDER, *arguments), place, environment, lambda line: None)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise OtelkitError(f"{path} cannot be read: {error.strerror}") from None


class _Progress:
    """Says every few seconds how many packages are compiled."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._compiled = 0
        self._started = self._said = time.monotonic()

    def __call__(self, line: str) -> None:
        self._compiled += not line.startswith("go: downloading")
        now = time.monotonic()
        if now - self._said >= _SAY_EVERY:
            self._said = now
            self._say(f"  {self._compiled} packages, {now - self._started:.0f} s")


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str], tell: Say) -> None:
    """Run a step; its output, line by line, to ``tell``, and the end of it into the error."""
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603 - ours
        command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        try:
            assert running.stdout is not None
            for line in running.stdout:
                lines.append(line.rstrip())
                tell(lines[-1])
        except BaseException:
            running.terminate()
            raise
    if running.returncode:
        shown = "\n".join(line for line in lines if not line.startswith("go: downloading"))
        raise OtelkitError(f"`{' '.join(command[:3])} …` failed:\n" + "\n".join(shown.splitlines()[-_LAST:]))
