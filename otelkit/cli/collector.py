"""``otelkit collector``: the Collector's configuration rendered and checked, its program built and run."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otelkit import settings
from otelkit.cli.processes import is_free
from otelkit.errors import MissingExtraError, OtelkitError, SettingsError

if TYPE_CHECKING:
    from otelkit.provision.collector.checks import Problem

__all__ = ["add_parser"]

_EXAMPLES: Final = """examples:
  otelkit collector render                                      standard.yaml on the console
  otelkit collector render --profile gateway --set kafka=true --output deploy/
  otelkit collector validate deploy/gateway.yaml
  otelkit collector build                                       the program, from source (Go, about 5 minutes)
  otelkit collector run                                         the profile standard, here
  otelkit collector run --config deploy/agent.yaml

Profiles: dev (everything to otelkit serve), standard (Prometheus, Loki, traces, otelkit), gateway (agents and gateways
with tail sampling). The files of all of them, with the default options, are in collector/config/."""
_RENDER: Final = """examples:
  otelkit collector render --profile dev
  otelkit collector render --set file_log=true --set auth=loki,server
  otelkit collector render --profile gateway --set slow=5s --set keep=20 --output deploy/
"""
_VALIDATE: Final = """examples:
  otelkit collector validate collector/config/standard.yaml
  otelkit collector validate my.yaml && systemctl reload otelcol
"""
_BUILD: Final = """examples:
  otelkit collector build
  otelkit collector build --output /usr/local/bin/otelcol-otelkit
  otelkit collector build --manifest builder.yaml    with components of your own; their versions are not pinned
"""
_RUN: Final = """examples:
  otelkit collector run
  otelkit collector run --profile dev
  otelkit collector run --config deploy/standard.yaml --program /usr/local/bin/otelcol-contrib
"""
_CONTRIB: Final = "otelcol-contrib"
_PORTS: Final = ("HTTP_PORT", "GRPC_PORT", "PROMETHEUS_PORT", "METRICS_PORT", "HEALTH_PORT")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command, its subcommands and their options."""
    parser = subparsers.add_parser(
        "collector",
        help="the OpenTelemetry Collector: render, validate, build and run its configuration",
        description="The OpenTelemetry Collector between services and Prometheus, Loki, a trace store and otelkit.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_render(commands)
    _add_validate(commands)
    _add_build(commands)
    _add_run(commands)


def _action(commands: Any, name: str, says: str, epilog: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=says, description=says[0].upper() + says[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    return made


def _add_choice(parser: argparse.ArgumentParser, profiles: str) -> None:
    parser.add_argument("--profile", default="standard", help=f"{profiles} (default: standard)")
    parser.add_argument("--set", dest="options", action="append", default=[], metavar="NAME=VALUE", help="an option")


def _add_render(commands: Any) -> None:
    parser = _action(commands, "render", "print a profile's configuration, or write its files", _RENDER + _options())
    _add_choice(parser, "dev, standard or gateway")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the files, instead of the console")
    parser.set_defaults(run=_render)


def _add_validate(commands: Any) -> None:
    says = "check a configuration: what would be lost, who could reach it, and whether the Collector takes it"
    parser = _action(commands, "validate", says, _VALIDATE)
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument(
        "--program", type=Path, metavar="PATH", help="the Collector to ask (default: one that is found)"
    )
    parser.set_defaults(run=_validate)


def _add_build(commands: Any) -> None:
    parser = _action(commands, "build", "build the Collector's program from source, with pinned modules", _BUILD)
    parser.add_argument("--output", type=Path, metavar="PATH", help="the program (default: in your data directory)")
    parser.add_argument("--manifest", type=Path, metavar="FILE", help="a builder.yaml of your own")
    parser.set_defaults(run=_build)


def _add_run(commands: Any) -> None:
    parser = _action(commands, "run", "run the Collector here, until Ctrl-C", _RUN)
    _add_choice(parser, "dev, standard, agent or gateway")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a configuration of your own instead of a profile")
    parser.add_argument("--program", type=Path, metavar="PATH", help="the Collector (default: one that is found)")
    parser.set_defaults(run=_run)


def _options() -> str:
    """The table of options as text; empty where the extra is missing, which the command itself will say."""
    try:
        from otelkit.provision.collector.options import described
    except ImportError:
        return ""
    rows = [f"  {name:14} {default:9} {meaning} [{profiles}]" for name, default, meaning, profiles in described()]
    return "\noptions (--set NAME=VALUE), their defaults, and the profiles that have them:\n" + "\n".join(rows) + "\n"


# --- render ------------------------------------------------------------------------------------------------------


def _render(args: argparse.Namespace) -> int:
    files = _rendered(args.profile, args.options)
    if args.output is None:
        print("---\n".join(files.values()), end="")
        return 0
    for name, text in files.items():
        target = args.output / name
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        except OSError as error:
            raise OtelkitError(f"{target} cannot be written: {error.strerror}") from None
        print(f"written: {target}")
    return 0


def _rendered(profile: str, options: Sequence[str]) -> Mapping[str, str]:
    try:
        from otelkit.provision.collector.options import parsed
        from otelkit.provision.collector.profiles import PROFILES, render
    except ImportError as error:
        raise MissingExtraError("otelkit collector", "provision") from error
    if profile not in PROFILES:
        raise SettingsError(f"there is no profile {profile}; there are {', '.join(PROFILES)}")
    return render(profile, parsed(options, profile))


# --- validate ----------------------------------------------------------------------------------------------------


def _validate(args: argparse.Namespace) -> int:
    environment = settings.current_environment()
    problems = _checked(args.file, environment)
    for problem in problems:
        print(f"{args.file}: {'' if problem.fatal else 'note: '}{problem}")
    bad = any(problem.fatal for problem in problems)
    program = args.program or _found(environment)
    if program is None:
        print("no Collector found to ask as well: `otelkit collector build` makes one", file=sys.stderr)
    elif program.name != _CONTRIB and any(problem.elsewhere for problem in problems):
        print(f"{args.file}: not asked: {program.name}, which lacks what only the contrib image has", file=sys.stderr)
        program = None
    elif _refused(program, args.file, environment):
        bad = True
    if not bad:
        print(f"{args.file}: valid" + (f", by otelkit and {program.name}" if program else ", by otelkit's checks"))
    return 1 if bad else 0


def _checked(path: Path, environment: Mapping[str, str]) -> list[Problem]:
    try:
        from otelkit.provision.collector.checks import check
    except ImportError as error:
        raise MissingExtraError("otelkit collector", "provision") from error
    try:
        return check(path.read_text("utf-8"), environment)
    except (OSError, UnicodeDecodeError) as error:
        raise OtelkitError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None


def _refused(program: Path, path: Path, environment: Mapping[str, str]) -> bool:
    missing = _unset(path.read_text("utf-8"), environment)
    for name, meaning in missing.items():
        print(f"{path}: note: {name} is not set here; where the Collector runs it must be: {meaning}")
    command = [str(program), "validate", "--config", str(path)]
    told = {**environment, **dict.fromkeys(missing, "unset")}  # the file is asked about, not this machine
    try:
        done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=60)  # noqa: S603
    except OSError as error:
        raise OtelkitError(f"{program} cannot be run: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        print("\n".join(f"{path}: {program.name}: {line}" for line in said))
    return done.returncode != 0


# --- build -------------------------------------------------------------------------------------------------------


def _build(args: argparse.Namespace) -> int:
    try:
        from otelkit.provision.distribution.building import build
    except ImportError as error:
        raise MissingExtraError("otelkit collector build", "provision") from error
    target = args.output or _own_program()
    if target.is_dir():
        raise OtelkitError(f"--output {target} is a folder; name the program's file")
    build(target, settings.current_environment(), lambda line: print(line, flush=True), args.manifest)
    print(f"built: {target}")
    return 0


def _own_program() -> Path:
    """Where a program is kept: in a folder named by what it is made of, so that another version is another program."""
    import hashlib

    from otelkit.provision.distribution import building, manifest

    made_of = hashlib.sha256(building.pins()).hexdigest()[:12]
    return settings.data_directory() / f"collector-{made_of}" / manifest.COMMAND


def _found(environment: Mapping[str, str]) -> Path | None:
    """The Collector that was built, else one in PATH."""
    from otelkit.provision.distribution.manifest import COMMAND

    own = _own_program()
    if own.is_file():
        return own
    inside = (shutil.which(name, path=environment.get("PATH")) for name in (COMMAND, _CONTRIB, "otelcol"))
    return next((Path(program) for program in inside if program), None)


# --- run ---------------------------------------------------------------------------------------------------------


def _run(args: argparse.Namespace) -> int:
    environment = settings.current_environment()
    path = _configuration(args)
    for problem in _checked(path, environment):
        print(f"{path}: {'' if problem.fatal else 'note: '}{problem}", file=sys.stderr)
        if problem.fatal:
            return 1
    if missing := _unset(path.read_text("utf-8"), environment):
        wanted = ", ".join(f"{name} ({meaning})" for name, meaning in missing.items())
        raise SettingsError(f"this configuration needs {wanted}: set it where the Collector runs")
    program = args.program or _found(environment)
    if program is None:
        raise OtelkitError(
            "there is no Collector yet: `otelkit collector build` makes one (Go, about 5 minutes, once); "
            "--program names one that you have"
        )
    queues = _queues(environment)
    print(_banner(program, path, queues, environment), flush=True)
    try:
        os.execve(program, [str(program), "--config", str(path)], environment)  # noqa: S606 - signals reach it as they are
    except OSError as error:
        raise OtelkitError(f"{program} cannot be run: {error.strerror}") from None


def _unset(text: str, environment: Mapping[str, str]) -> Mapping[str, str]:
    """What each variable means that a configuration needs and that is not set."""
    from otelkit.provision.collector.variables import VARIABLES

    needed = (entry for entry in VARIABLES if not (entry.default or entry.optional) and str(entry) in text)
    return {entry.name: entry.meaning.rstrip(".") for entry in needed if not environment.get(entry.name)}


def _configuration(args: argparse.Namespace) -> Path:
    """The file to run: the one that was named, or the profile's, written where the program can read it again."""
    if args.config is not None:
        return Path(args.config)
    files = _rendered("gateway" if args.profile == "agent" else args.profile, args.options)
    folder = settings.data_directory() / "collector"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{args.profile}.yaml"
    path.write_text(files[path.name], "utf-8")
    return path


def _queues(environment: dict[str, str]) -> Path:
    """The folder of the queues: the variable's, else one that does not depend on where the command was given."""
    from otelkit.provision.collector.variables import Variables

    name = Variables.QUEUES.name
    folder = Path(environment.get(name) or settings.data_directory() / "collector" / "queues")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OtelkitError(f"{folder} cannot be made: {error.strerror}; {name} names another folder") from None
    environment[name] = str(folder)
    return folder


def _banner(program: Path, path: Path, queues: Path, environment: Mapping[str, str]) -> str:
    from otelkit.provision.collector.variables import Variables

    text = path.read_text("utf-8")
    lines = [f"{program.name} with {path}"]
    for field in _PORTS:
        variable = getattr(Variables, field)
        if variable.name not in text:
            continue
        port = environment.get(variable.name) or variable.default
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise SettingsError(f"{variable.name} is {port!r}, but must be a port")
        if not is_free("127.0.0.1", int(port)):
            raise OtelkitError(f"port {port} is taken; {variable.name} names another ({variable.meaning[0].lower()}"
                               f"{variable.meaning[1:-1]})")  # fmt: skip
        lines.append(f"  {port:6} {variable.meaning}")
    return "\n".join([*lines, f"  queues in {queues}", "Ctrl-C stops it; what is queued is sent after the next start."])
