"""What is wrong with a Collector configuration, with line and place and what to do; before any program is asked.

The Collector's own ``validate`` knows whether a file can be run. These checks ask whether it would keep what it
acknowledges, and to whom it would be open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import yaml

from otelkit.provision.collector.components import Kind
from otelkit.provision.distribution.manifest import OLD_NAMES, RENDERED_ONLY, TYPES

__all__ = ["Problem", "check", "expanded"]

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where, what, and what to do.

    Attributes:
        fatal: the file is unfit; the others are notes.
        elsewhere: only another distribution of the Collector can run it.
    """

    line: int
    place: str
    what: str
    fix: str
    fatal: bool = True
    elsewhere: bool = False

    def __str__(self) -> str:
        return f"line {self.line}: {self.place}: {self.what}; {self.fix}"


class _Found(NamedTuple):
    path: Path
    what: str
    fix: str
    fatal: bool = True
    elsewhere: bool = False


def check(text: str, environment: Mapping[str, str]) -> list[Problem]:
    """Return every problem of a configuration, in the order of its lines.

    Args:
        text: the file.
        environment: what ``${env:…}`` stands for when it is looked at who could reach a listener.
    """
    try:
        document, lines = yaml.safe_load(text), _lines(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"no YAML: {getattr(error, 'problem', None) or error}"
        return [Problem(mark.line + 1 if mark else 1, "the file", what, "mend it there or a line above")]
    if not isinstance(document, dict) or not isinstance(_at(document, "service", "pipelines"), dict):
        return [Problem(1, "service.pipelines", "there are no pipelines", "begin with `otelkit collector render`")]
    file = _File(document, environment)
    # What has the wrong shape counts as empty to the other checks: what they would say of it is beside the point.
    found = list(_misshapen(document)) or [entry for looked in _CHECKS for entry in looked(file)]
    return sorted((_placed(entry, lines) for entry in found), key=lambda problem: problem.line)


class _File:
    """A configuration's sections; what is not a mapping where one belongs counts as empty."""

    def __init__(self, document: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.document = document
        self.environment = environment
        self.sections = {kind: _mapping(document.get(kind.value)) for kind in Kind}
        self.pipelines = {
            name: _mapping(entry) for name, entry in _mapping(_at(document, "service", "pipelines")).items()
        }
        self.enabled = _names(_at(document, "service", "extensions"))

    def components(self, *kinds: Kind) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
        """Yield place, type and settings of each component."""
        for kind in kinds:
            for name, settings in self.sections[kind].items():
                yield (kind.value, name), str(name).partition("/")[0], _mapping(settings)


# --- shapes ------------------------------------------------------------------------------------------------------


def _misshapen(document: Mapping[str, Any]) -> Iterator[_Found]:
    """Yield what is no mapping or no list where the Collector reads one; what is empty is both."""
    by_name = "write `name: settings` below it, a component a line"
    for kind in Kind:
        yield from _no_mapping((kind.value,), document.get(kind.value), by_name)
        for name, settings in _mapping(document.get(kind.value)).items():
            yield from _no_mapping((kind.value, name), settings, "write `setting: value` below it")
    yield from _no_list(("service", "extensions"), _at(document, "service", "extensions"))
    for name, pipeline in _at(document, "service", "pipelines").items():
        path: Path = ("service", "pipelines", name)
        yield from _no_mapping(path, pipeline, "write receivers, processors and exporters below it")
        for part in (Kind.RECEIVER, Kind.PROCESSOR, Kind.EXPORTER):
            yield from _no_list((*path, part.value), _mapping(pipeline).get(part.value))


def _no_mapping(path: Path, value: Any, fix: str) -> Iterator[_Found]:
    if value is not None and not isinstance(value, Mapping):
        yield _Found(path, f"{_kind(value)} stands where names with settings belong", fix)


def _no_list(path: Path, value: Any) -> Iterator[_Found]:
    if value is not None and not isinstance(value, list):
        yield _Found(path, f"{_kind(value)} stands where a list of names belongs", "write [name, …]")


def _kind(value: Any) -> str:
    return {str: "text", list: "a list", dict: "a mapping", bool: "a truth value"}.get(type(value), "a number")


# --- what there is -----------------------------------------------------------------------------------------------


def _unknown_components(file: _File) -> Iterator[_Found]:
    for path, kind, _ in file.components(*Kind):
        section = str(path[0])
        if kind in TYPES[section] or kind == "batch":  # which has a check of its own
            continue
        if OLD_NAMES.get(kind) in TYPES[section] or (section, kind) == ("exporters", "otlp"):
            new = OLD_NAMES.get(kind, "otlp_grpc")
            yield _Found(path, f"{kind} is the old name of {new}", "call it by the new one", False)
            continue
        if kind in RENDERED_ONLY:
            yield _Found(
                path, f"{kind} is not in otelkit's distribution", "run this file with the contrib image", False, True
            )
        else:
            known = ", ".join(sorted(TYPES[section]))
            fix = f"use one of {known}, or add its module to builder.yaml (otelkit collector build --manifest)"
            yield _Found(path, f"there is no component {kind} in {section} of otelkit's distribution", fix)


def _undefined_names(file: _File) -> Iterator[_Found]:
    connectors = set(file.sections[Kind.CONNECTOR])
    for name, pipeline in file.pipelines.items():
        for kind in (Kind.RECEIVER, Kind.PROCESSOR, Kind.EXPORTER):
            defined = set(file.sections[kind]) | (connectors if kind is not Kind.PROCESSOR else set())
            for at, part in enumerate(_names(pipeline.get(kind.value))):
                if part not in defined:
                    path: Path = ("service", "pipelines", name, kind.value, at)
                    yield _Found(path, f"{part} is not defined", f"define it in {kind.value}, or take it out here")
        for kind in (Kind.RECEIVER, Kind.EXPORTER):
            if not _names(pipeline.get(kind.value)):
                fix = f"name one in {kind.value}, or remove the pipeline"
                yield _Found(("service", "pipelines", name), f"the pipeline has no {kind.value}", fix)
    for part in file.enabled:
        if part not in file.sections[Kind.EXTENSION]:
            yield _Found(("service", "extensions"), f"{part} is not defined", "define it in extensions")


def _unused(file: _File) -> Iterator[_Found]:
    used = {kind: {n for p in file.pipelines.values() for n in _names(p.get(kind.value))} for kind in Kind}
    ends = used[Kind.RECEIVER] & used[Kind.EXPORTER]
    for path, _, _ in file.components(Kind.RECEIVER, Kind.PROCESSOR, Kind.EXPORTER):
        if path[1] not in used[Kind(str(path[0]))]:
            yield _Found(path, "no pipeline uses it", "name it in a pipeline, or remove it", False)
    for path, _, _ in file.components(Kind.CONNECTOR):
        if path[1] not in ends:
            fix = "name it among the exporters of one pipeline and the receivers of another"
            yield _Found(path, "it does not join two pipelines", fix)
    for path, _, _ in file.components(Kind.EXTENSION):
        if path[1] not in file.enabled:
            yield _Found(path, "it is not started", "name it in service.extensions")


# --- what would be lost ------------------------------------------------------------------------------------------


def _limiter_first(file: _File) -> Iterator[_Found]:
    for name, pipeline in file.pipelines.items():
        outside = set(_names(pipeline.get("receivers"))) - set(file.sections[Kind.CONNECTOR])
        processors = _names(pipeline.get("processors"))
        if outside and not (processors and processors[0].partition("/")[0] == "memory_limiter"):
            path: Path = ("service", "pipelines", name)
            fix = "put it first: what it refuses is sent again, what runs out of memory is lost"
            yield _Found(path, "memory_limiter is not its first processor", fix)


def _no_batch(file: _File) -> Iterator[_Found]:
    for path, kind, _ in file.components(Kind.PROCESSOR):
        if kind == "batch":
            fix = "remove it and batch behind the queue: sending_queue: {batch: …, storage: file_storage}"
            yield _Found(path, "the batch processor loses acknowledged data when the Collector is killed", fix)


_SENDERS: Final = frozenset({"otlp", "otlp_grpc", "otlphttp", "otlp_http", "kafka", "elasticsearch", "loadbalancing"})


def _queued(file: _File) -> Iterator[_Found]:
    for path, kind, settings in file.components(Kind.EXPORTER):
        if kind not in _SENDERS:
            continue
        storage = _at(settings, "sending_queue", "storage")
        if storage is None:
            fix = "give it sending_queue: {storage: file_storage}"
            yield _Found(path, "its queue is in memory and ends with the process", fix)
        elif storage not in file.enabled:
            fix = f"define {storage} in extensions and name it in service.extensions"
            yield _Found((*path, "sending_queue", "storage"), f"{storage} is not started", fix)
        retry = _mapping(settings.get("retry") if kind == "elasticsearch" else settings.get("retry_on_failure"))
        if kind == "elasticsearch":
            continue
        if retry.get("enabled") is False or str(retry.get("max_elapsed_time", "300s")) not in {"0", "0s"}:
            fix = "set retry_on_failure: {max_elapsed_time: 0}, which is without an end"
            yield _Found(path, "it gives up after a while and drops what it has", fix)


# --- to whom it is open ------------------------------------------------------------------------------------------

_SECRET_KEY: Final = re.compile(
    r"(?:^|[_.\-])(?:tokens?|passwords?|passwd|secret|api[_-]?key|authorization|credentials?|hmac_key|x-scope-key)\Z",
    re.I,
)
_REFERENCE: Final = re.compile(r"\$\{(?:env|file):[^}]+\}")
_DEFAULTED: Final = re.compile(r"\$\{env:([A-Za-z_]\w*)(?::-([^}]*))?\}")
_IN_ADDRESS: Final = re.compile(r"://[^\s/@$]*:[^\s/@$]+@")
_LOOPBACK: Final = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)\Z")


def _literal_secrets(file: _File) -> Iterator[_Found]:
    fix = "write ${env:NAME} and set the variable where the Collector runs"
    for path, value in _scalars(file.document, ()):
        if not isinstance(value, str) or not value:
            continue
        name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
        if _IN_ADDRESS.search(value):
            yield _Found(path, "a password is written in an address", fix)
        elif _SECRET_KEY.search(name) and not _REFERENCE.search(value):
            yield _Found(path, "a secret is written out", fix)
        elif _SECRET_KEY.search(name) and (default := _DEFAULTED.search(value)) and default[2]:
            yield _Found(path, "a secret has a default, which everybody can read", "remove what follows `:-`")


def _open_receivers(file: _File) -> Iterator[_Found]:
    for path, _, settings in file.components(Kind.RECEIVER):
        for inside, listens in _endpoints(settings, ()):
            host = _host(expanded(str(listens["endpoint"]), file.environment))
            if _LOOPBACK.match(host) or str(path[1]).startswith(("kafka", "prometheus")):
                continue
            where: Path = (*path, *inside, "endpoint")
            if "auth" not in listens:
                fix = "listen on 127.0.0.1, or render with `--set public=true`, which asks for a token"
                yield _Found(where, f"anybody who reaches {host} can send to it", fix)
            elif "tls" not in listens:
                fix = "give it tls: {cert_file, key_file}, unless a proxy in front has it"
                yield _Found(where, "tokens travel in plain text", fix, False)


def _open_figures(file: _File) -> Iterator[_Found]:
    for path, kind, settings in file.components(Kind.EXPORTER, Kind.EXTENSION):
        endpoint = settings.get("endpoint")
        if kind not in {"prometheus", "health_check"} or not isinstance(endpoint, str):
            continue
        host = _host(expanded(endpoint, file.environment))
        if not _LOOPBACK.match(host):
            fix = "keep the port inside a private network"
            yield _Found((*path, "endpoint"), f"whoever reaches {host} can read figures there", fix, False)


_CHECKS: Final = (
    _unknown_components,
    _undefined_names,
    _unused,
    _limiter_first,
    _no_batch,
    _queued,
    _literal_secrets,
    _open_receivers,
    _open_figures,
)


# --- reading -----------------------------------------------------------------------------------------------------


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """Return a value with its ``${env:NAME:-default}`` replaced; what is not set is empty."""
    return _DEFAULTED.sub(lambda match: environment.get(match[1]) or match[2] or "", text)


def _host(endpoint: str) -> str:
    host = endpoint.rpartition("://")[2].rpartition(":")[0]
    return host or "0.0.0.0"  # noqa: S104 - what a missing host means


def _endpoints(settings: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if "endpoint" in settings:
        yield path, settings
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _endpoints(value, (*path, key))


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _scalars(entry, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, entry in enumerate(value):
            yield from _scalars(entry, (*path, at))
    else:
        yield path, value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = _mapping(value).get(key)
    return value


def _lines(text: str) -> Mapping[Path, int]:
    """The line of each place in the file."""
    found: dict[Path, int] = {}

    def walk(node: yaml.Node | None, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, key.value)
                found[here] = key.start_mark.line + 1
                walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for at, value in enumerate(node.value):
                found[(*path, at)] = value.start_mark.line + 1
                walk(value, (*path, at))

    walk(yaml.compose(text, Loader=yaml.SafeLoader), ())
    return found


def _placed(found: _Found, lines: Mapping[Path, int]) -> Problem:
    path = found.path
    while path and path not in lines:
        path = path[:-1]
    place = ".".join(str(part) for part in found.path)
    return Problem(lines.get(path, 1), place, found.what, found.fix, found.fatal, found.elsewhere)
