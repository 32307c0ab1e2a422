"""The reference pages and ``env.example``, written from the code: ``python -m otelkit.cli.reference --write``.

The files are committed; ``--check`` (and a test) says where they differ from what the code gives.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from otelkit.cli.settings import as_variable, env_example
from otelkit.provision.alerts.definition import AlertRule
from otelkit.provision.alerts.rules import RULES
from otelkit.provision.choices import FILE as CHOICES_FILE
from otelkit.provision.dashboards.boards import BOARDS, NOT_SHOWN, places
from otelkit.provision.dashboards.definition import Dashboard, Panel, Source
from otelkit.provision.example import example
from otelkit.sdk.steps import Step
from otelkit.semconv import attributes, events, metrics
from otelkit.settings import OPTIONS, Option, Settings

__all__ = ["files", "main"]

_MADE: Final = "<!-- Generated from the code by `make docs`: change it there. -->"

_EPILOG: Final = """examples:
  python -m otelkit.cli.reference --check     exit status 1 when a committed page is not what the code gives
  python -m otelkit.cli.reference --write
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write or compare the pages in this checkout; 1 when they differ."""
    parser = argparse.ArgumentParser(
        prog="python -m otelkit.cli.reference",
        description="Write the reference pages in docs/reference/ and env.example from the code.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="write the files")
    choice.add_argument("--check", action="store_true", help="compare them with what is committed")
    args = parser.parse_args(argv)
    root = Path(__file__).resolve().parents[2]
    stale = [(root / name, text) for name, text in files().items() if _read(root / name) != text]
    for path, text in stale:
        if args.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        print(f"{'written' if args.write else 'differs'}: {path.relative_to(root).as_posix()}")
    return 1 if stale and args.check else 0


def files() -> Mapping[str, str]:
    """Each generated file's path in the repository, and its text."""
    return {
        "docs/reference/alerts.md": _page("Alert rules", _alerts()),
        "docs/reference/api.md": _page("API", _api()),
        "docs/reference/attributes.md": _page("Attributes", _attributes()),
        "docs/reference/dashboards.md": _page("Dashboards", _dashboards()),
        "docs/reference/events.md": _page("Product events", _events()),
        "docs/reference/metrics.md": _page("Metrics", _metrics()),
        "docs/reference/provision.md": _page("Choices of `otelkit provision`", _provision()),
        "docs/reference/settings.md": _page("Settings", _settings()),
        "env.example": env_example(),
    }


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


# --- Markdown ------------------------------------------------------------------------------------------------


def _page(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", _MADE, "", *lines]).rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(text: object) -> str:
    return f"`{text}`"


_ROLE: Final = re.compile(r":\w+:`~?(?:otelkit\.[\w.]*\.)?([^`]+)`")


def _markdown(text: str) -> str:
    """A docstring's words: roles and double backticks become code."""
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


# --- metrics -------------------------------------------------------------------------------------------------


def _metrics() -> Iterator[str]:
    yield "One entry for each instrument that otelkit records. Users, groups and conversations are never a metric"
    yield "attribute. How they are derived, and the names they replace: [metrics and logs](../metrics-and-logs.md)."
    yield ""
    yield "The profile says when a metric is recorded: *always*, or only where `OTELKIT_METRIC_PROFILE` is that word or"
    yield "`both`. A metric is added or renamed by the people who operate the service, because dashboards and alerts"
    yield "stand on it; an attribute that could tell who somebody is needs the consent of whoever answers for privacy."
    yield ""
    yield from _table(
        ["metric", "instrument", "unit", "in Prometheus"],
        [
            (_code(entry.name), str(entry.instrument), _code(entry.unit), _code(entry.prometheus_name))
            for entry in metrics.CATALOGUE
        ],
    )
    for entry in metrics.CATALOGUE:
        yield from _metric(entry)
    yield "## Of the server"
    yield ""
    yield "What `otelkit serve` says at [`GET /metrics`](../server.md#get-metrics). No service sends any of it, and"
    yield "what is unknown is absent."
    yield ""
    yield from _table(
        ["in Prometheus", "instrument", "attributes", "meaning"],
        [
            (
                _code(entry.prometheus_name),
                str(entry.instrument),
                ", ".join(map(_code, entry.attributes)),
                entry.description,
            )
            for entry in metrics.SERVER
        ],
    )


def _metric(entry: metrics.MetricDef) -> Iterator[str]:
    yield f"## {entry.name}"
    yield ""
    yield entry.description
    yield ""
    yield f"- {entry.instrument} in `{entry.unit}`, `{entry.prometheus_name}` in Prometheus; profile: {entry.profile}"
    yield f"- attributes: {', '.join(map(_code, entry.attributes)) or 'none'}"
    if entry.boundaries:
        yield f"- boundaries: {', '.join(f'{bound:.12g}' for bound in entry.boundaries)}"
    yield ""


# --- alerts --------------------------------------------------------------------------------------------------


def _alerts() -> Iterator[str]:
    yield "Every rule with the thresholds that are committed; a name leads to its runbook. Who is told, and how often:"
    yield "[alerts](../alerts.md). *Explained by*: while one of these fires for the same service, nobody is told."
    yield ""
    for category, found in groupby(RULES, key=lambda rule: rule.category):
        yield f"## {category.value}"
        yield ""
        yield from _table(["alert", "fires when", "severity", "explained by"], map(_alert, found))


def _alert(rule: AlertRule) -> tuple[str, str, str, str]:
    explained = ", ".join(map(_code, rule.explained_by)) or "–"
    return f"[{rule.name}](../alerts.md#{rule.name.lower()})", rule.words, rule.severity.value, explained


# --- dashboards ----------------------------------------------------------------------------------------------


def _dashboards() -> Iterator[str]:
    yield "What is on which dashboard, and which metric where. How to use them: [dashboards](../dashboards.md)."
    yield ""
    for board in BOARDS:
        yield f"## {board.title}"
        yield ""
        yield f"`{board.uid}`: {board.says}"
        yield ""
        yield from _table(["panel", "what it shows", "alerts"], map(_panel, board.panels))
    yield "## From metrics to dashboards"
    yield ""
    shown = places()
    order = [*metrics.CATALOGUE, *metrics.SERVER]
    others = sorted((entry for entry in shown if entry not in order), key=lambda entry: entry.name)
    rows = [(_code(entry.collected_name), _places(shown[entry])) for entry in (*order, *others) if entry in shown]
    yield from _table(["in Prometheus", "where"], rows)
    yield "Not on a dashboard:"
    yield ""
    yield from (f"- `{entry.name}`: {why}" for entry, why in NOT_SHOWN.items())


def _panel(panel: Panel) -> tuple[str, str, str]:
    logs = " (Loki)" if panel.asks[0].source is Source.LOKI else ""
    alerts = ", ".join(f"[{name}](../alerts.md#{name.lower()})" for name in panel.alerts)
    return panel.title + logs, panel.says, alerts


def _places(found: Iterable[tuple[Dashboard, Panel]]) -> str:
    titles: dict[str, list[str]] = {}
    for board, panel in found:
        titles.setdefault(board.title, []).append(panel.title)
    return "; ".join(f"{board}: {', '.join(panels)}" for board, panels in titles.items())


# --- choices -------------------------------------------------------------------------------------------------


def _provision() -> Iterator[str]:
    yield "Thresholds, channels and the Collector's options that `otelkit provision` takes from a file: its own, if it"
    yield f"is called `{CHOICES_FILE}` and lies in the current folder, or the one of `--config FILE`. What is not in it"
    yield "keeps its default, and the files in `collector/` are what the defaults give. How to choose:"
    yield "[alerts](../alerts.md#choose-channels-and-thresholds), [pipeline](../pipeline.md#options)."
    yield ""
    yield "- `--set SECTION.OPTION=VALUE` chooses one, wins over the file and may be repeated. What comes several times"
    yield "  (`[[…]]`) stands in a file."
    yield "- `--check` compares a folder with what the same choices give."
    yield "- A wrong name or value stops the command with one error that names the file, the option and what is"
    yield "  allowed, never the value. Nothing is written then."
    yield ""
    yield "Every option, as `otelkit provision --list` prints it; in brackets what is allowed:"
    yield ""
    yield "```toml"
    yield example().rstrip()
    yield "```"


# --- events --------------------------------------------------------------------------------------------------


def _events() -> Iterator[str]:
    yield "What `otelkit.track` records. An event is an OpenTelemetry log record whose `event_name` is the dotted name;"
    yield "PostHog gets the name with underscores. It is created only if the session's user granted its category."
    yield ""
    yield "## Who may add an event"
    yield ""
    yield "The product owner adds events and says which question each one answers; operations adds metrics; whoever"
    yield "answers for privacy agrees to each property that is personal or that a person wrote. Add your own events"
    yield "with `otelkit.define_event`. What people wrote is sent as its length or not at all."
    yield ""
    yield "## Consent categories"
    yield ""
    yield from (f"- `{category.value}`" for category in events.Consent)
    yield ""
    for entry in events.CATALOGUE:
        yield f"## {entry.name}"
        yield ""
        yield entry.meaning
        yield ""
        yield f"PostHog: `{entry.posthog_name}`. Consent: `{entry.consent.value}`."
        yield ""
        yield from _table(["property", "type", "meaning", "treatment"], map(_property, entry.properties))


def _property(entry: events.Property) -> tuple[str, str, str, str]:
    kept = entry.treatment is events.Treatment.KEEP
    treatment = str(entry.treatment) if kept else f"{entry.treatment}, as `{entry.name}_length`"
    return _code(entry.name), _code(entry.type.__name__), entry.meaning, treatment


# --- attributes ----------------------------------------------------------------------------------------------

_CONSTANT: Final = re.compile(r'^    ([A-Z_]+): Final = "[^"]*"  # (.+)$', re.MULTILINE)


def _attributes() -> Iterator[str]:
    yield "Names in `otelkit.semconv.attributes`. *Content* is dropped before export unless it is opted in; *prefix*"
    yield "means that everything below the name belongs to it."
    yield ""
    for kind in (
        attributes.GenAI,
        attributes.Operation,
        attributes.Core,
        attributes.WebSocket,
        attributes.Messaging,
        attributes.Audit,
        attributes.Event,
        attributes.Security,
        attributes.Otelkit,
        attributes.Errors,
    ):
        yield from _constants(kind)
    yield "## Read from other instrumentations"
    yield ""
    yield "Spans of these conventions are understood and leave in OpenTelemetry's names; otelkit writes none of them."
    yield ""
    for foreign in (attributes.OpenInference, attributes.Traceloop):
        yield from _constants(foreign, "###")


def _constants(kind: type, heading: str = "##") -> Iterator[str]:
    notes = dict(_CONSTANT.findall(inspect.getsource(kind)))
    yield f"{heading} {kind.__name__}"
    yield ""
    yield _markdown(inspect.getdoc(kind) or "")
    yield ""
    named = [(name, value) for name, value in vars(kind).items() if name.isupper() and isinstance(value, str)]
    yield from _table(["name", "constant", "note"], [(_code(v), _code(n), notes.get(n, "")) for n, v in named])


# --- settings ------------------------------------------------------------------------------------------------


def _settings() -> Iterator[str]:
    yield "Every option: the variables that set it (the first one that is set wins), its default, what is allowed. An"
    yield "argument of `otelkit.init` with the option's name wins over all variables. `otelkit settings` prints them"
    yield "with their present values, `otelkit settings --env` a template ([env.example](../../env.example))."
    yield ""
    yield "A wrong value stops the start with one `SettingsError` that names the variable and what is allowed."
    yield ""
    defaults = Settings()
    for group, options in groupby(OPTIONS.items(), key=lambda item: item[1].group):
        yield f"## {group}"
        yield ""
        yield from _table(
            ["variables", "option", "default", "allowed", "meaning"],
            [_setting(name, option, getattr(defaults, name)) for name, option in options],
        )


def _setting(name: str, option: Option, default: object) -> tuple[str, str, str, str, str]:
    shown = as_variable(option, default)
    variables = " ".join(map(_code, option.variables))
    return variables, _code(name), _code(shown) if shown else "unset", _allowed(option), option.meaning


def _allowed(option: Option) -> str:
    """What the parser itself says of a value that nothing allows."""
    try:
        option.parse("\0")
    except ValueError as error:
        return str(error)
    return "names separated by commas" if option.parse("a,b") == ("a", "b") else "text"


# --- API -----------------------------------------------------------------------------------------------------


def _api() -> Iterator[str]:
    package = import_module("otelkit")  # by name: nothing below imports the package root
    public = {name: getattr(package, name) for name in package.__all__}
    yield "Everything `import otelkit` offers. Only `init` (a wrong setting) and `define_event` (a wrong name) raise"
    yield "errors of their own into an application; what your own functions raise passes through untouched."
    yield ""
    errors = {name: item for name, item in public.items() if isinstance(item, type) and issubclass(item, Exception)}
    for name, item in public.items():
        if name not in errors:
            yield from _function(name, item)
    yield "## Step"
    yield ""
    yield "What `with otelkit.traced_…() as step` gives. Every method is safe at any time."
    yield ""
    for name in _STEP_METHODS:
        yield from _function(name, getattr(Step, name), "###")
    yield "## Errors"
    yield ""
    for name, item in errors.items():
        yield f"### {name}"
        yield ""
        yield from _prose(inspect.getdoc(item) or "")


_STEP_METHODS: Final = (
    "set_attribute",
    "record_usage",
    "record_messages",
    "record_response",
    "record_results",
    "chunk",
    "fail",
)


def _function(name: str, item: Callable[..., Any], heading: str = "##") -> Iterator[str]:
    yield f"{heading} {name}"
    yield ""
    yield "```text"
    overloads = [] if isinstance(item, type) else typing.get_overloads(item)
    for signature in overloads or [item]:
        yield _signature(name, signature)
    yield "```"
    yield ""
    yield from _prose(inspect.getdoc(item) or "")


class _Plain:
    """Stands in a signature and prints as the words given."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


def _signature(name: str, item: Callable[..., Any]) -> str:
    found = inspect.signature(item)
    given = [parameter for parameter in found.parameters.values() if parameter.name != "self"]
    parameters = [parameter.replace(**_printed(parameter)) for parameter in given]
    returned = "" if found.return_annotation in {found.empty, "None"} else f" -> {found.return_annotation}"
    one_line = f"{name}{found.replace(parameters=parameters, return_annotation=found.empty)}{returned}"
    if len(one_line) <= 100:
        return one_line
    inner, end = one_line[len(name) + 1 :].rsplit(")" + returned, 1)
    return f"{name}(\n    {_broken(inner)}\n){returned}{end}"


def _printed(parameter: inspect.Parameter) -> dict[str, Any]:
    """The parameter with its annotation as written, and defaults that print alike in every Python."""
    changes: dict[str, Any] = {}
    if isinstance(parameter.annotation, str):
        changes["annotation"] = _Plain(parameter.annotation)
    if isinstance(parameter.default, MappingProxyType):
        changes["default"] = _Plain(repr(dict(parameter.default)))
    return changes


def _broken(parameters: str) -> str:
    """A line each: broken at commas that no bracket encloses."""
    depth = 0
    out = ""
    for letter in parameters:
        depth += (letter in "([{") - (letter in ")]}")
        out += letter
        if letter == "," and not depth:
            out += "\n   "
    return out + ","


_SECTION: Final = re.compile(r"^(Args|Attributes|Raises|Returns):$")
_ITEM: Final = re.compile(r"^    (\S[^:]*): (.*)$")


def _prose(docstring: str) -> Iterator[str]:
    """A docstring as Markdown: paragraphs, and lists of what ``Args:`` and ``Raises:`` hold."""
    item = ""
    listing = False
    for line in _markdown(docstring).splitlines():
        heading = _SECTION.match(line)
        entry = _ITEM.match(line) if listing else None
        if (heading or entry or not line) and item:
            yield item
            item = ""
        if heading:
            listing = True
            yield {"Args": "Arguments:", "Raises": "Raises:"}.get(heading[1], f"{heading[1]}:")
            yield ""
        elif entry:
            item = f"- `{entry[1]}`: {entry[2]}"
        elif listing and line.startswith("     "):
            item += " " + line.strip()
        else:
            listing = listing and not line
            yield line
    if item:
        yield item
    yield ""


if __name__ == "__main__":
    sys.exit(main())
