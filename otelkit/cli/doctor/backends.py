"""The last hops: the places a marked record can end in, and how each is asked for it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from otelkit.cli.doctor.door import ClosedError, Door
from otelkit.cli.doctor.endpoint import THIS_MACHINE
from otelkit.cli.doctor.marked import SERVICE, Mark
from otelkit.cli.doctor.report import Line, Verdict
from otelkit.semconv.events import DOCTOR_CHECK
from otelkit.semconv.metrics import Metrics
from otelkit.settings import Settings

__all__ = ["Backend", "backends", "follow"]

_SKEW_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of backend.

    Attributes:
        product: what it is, for people.
        knows: says whether what answers at a door is one; raises as the door does.
        seeks: what of the mark is looked for: its name, and the question whose answer is true once it is there.
        hints: further lines about what it knows.
    """

    product: str
    knows: Callable[[Backend], bool]
    seeks: Mapping[str, Callable[[Backend, Mark], bool]]
    hints: Callable[[Backend], Iterator[Line]]


@dataclass(frozen=True, slots=True)
class Backend:
    """One place records end in; ``insists`` where somebody named it, so that its absence is a failure."""

    name: str
    kind: Kind
    door: Door
    seeks: Mapping[str, Callable[[Backend, Mark], bool]]
    insists: bool

    def absent(self) -> Line | None:
        """Return a line when it does not answer or is something else, None when it is there."""
        advice = f"is it running there? --{self.name} names another address"
        found = f"what answers at {self.door.shown} is not {self.kind.product}"
        try:
            if self.kind.knows(self):
                return None
        except _RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                found = f"{self.door.shown} answers HTTP {error.status}"
            if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                advice = f"give it a token: OTELKIT_READ_TOKEN and --{self.name} for the otelkit server"
        except ClosedError as error:
            found = str(error)
            if found.startswith("TLS"):
                advice = "OTEL_EXPORTER_OTLP_CERTIFICATE names the authority that signed its certificate"
        except (ValueError, TypeError):
            pass
        verdict = Verdict.FAIL if self.insists else Verdict.SKIP
        found = f"not looked at: {found} (--{self.name})"
        return Line(self.name, verdict, found, advice=advice if self.insists else "")

    def remarks(self) -> list[Line]:
        """Return what else it knows; nothing where it does not say."""
        try:
            return list(self.kind.hints(self))
        except _UNCLEAR:
            return []

    def has(self, kind: str, mark: Mark) -> bool:
        """Say whether the record of that kind is there now."""
        try:
            return self.seeks[kind](self, mark)
        except _UNCLEAR:  # it answers, but not what was asked
            return False

    def clock(self) -> Line | None:
        """Return a warning when its clock is not ours: records would seem to come from the past or the future."""
        before = time.time()
        try:
            said = self.door.ask("/").date
            told = email.utils.parsedate_to_datetime(said).timestamp() if said else None
        except (ClosedError, ValueError):
            return None
        if told is None:
            return None
        ahead = told + 0.5 - (before + time.time()) / 2
        if abs(ahead) < _SKEW_SECONDS:
            return None
        found = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        return Line(self.name, Verdict.WARN, found, advice="let both machines keep time by NTP")

    def ask(self, path: str, **words: str) -> Any:
        """Return the JSON that a path answers.

        Raises:
            ClosedError: nobody answers.
            _RefusedError: the status is no success.
            ValueError: it is no JSON.
        """
        answer = self.door.ask(path, words)
        if answer.status != HTTPStatus.OK:
            raise _RefusedError(answer.status)
        return answer.json()


class _RefusedError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


_UNCLEAR: Final = (ClosedError, _RefusedError, ValueError, LookupError, TypeError, AttributeError)


def follow(
    present: Sequence[Backend], mark: Mark, wait: float, why_not: Callable[[str], str], off: Set[str]
) -> Iterator[Line]:
    """Wait up to ``wait`` seconds for every record everywhere, and tell of each as it arrives.

    Args:
        present: who is asked, in turn.
        mark: what to look for.
        wait: seconds.
        why_not: says what to change for a kind of record that did not arrive.
        off: kinds of records that were not sent.
    """
    pending = [(backend, kind) for backend in present for kind in backend.seeks if kind not in off]
    end = time.monotonic() + wait
    while pending and time.monotonic() < end:
        for backend, kind in tuple(pending):
            backend.door.patience = max(0.5, end - time.monotonic())
            if backend.has(kind, mark):
                pending.remove((backend, kind))
                yield Line(backend.name, Verdict.OK, f"{kind} arrived", time.time() - mark.sent)
        time.sleep(_POLL_SECONDS if pending else 0)
    for backend, kind in pending:
        yield Line(backend.name, Verdict.FAIL, f"{kind} did not arrive within {wait:.0f} s", advice=why_not(kind))


def backends(
    named: Mapping[str, str | None], defaults: Mapping[str, str], settings: Settings, *, direct: bool
) -> list[Backend]:
    """Return the backends to look at: the named ones, and those that may listen where they usually do.

    Args:
        named: address by backend, as the options gave it; ``none`` leaves one out.
        defaults: address by backend where none was named.
        settings: for the otelkit server's token and the authority of its certificate.
        direct: whether no Collector is between: then the server gets every signal.
    """
    certificate = str(settings.certificate) if settings.certificate else None
    found = []
    for name, kind in _KINDS.items():
        address, insists = named.get(name) or defaults[name], bool(named.get(name))
        if address == "none":
            continue
        own = name == "server" and (insists or urlsplit(address).hostname in THIS_MACHINE)
        token = (settings.read_token or settings.token) if own else ""
        seeks = {**kind.seeks, **(_WITHOUT_COLLECTOR if direct and name == "server" else {})}
        found.append(Backend(name, kind, Door(address, token=token, certificate=certificate), seeks, insists))
    return found


# --- what each is asked ------------------------------------------------------------------------------------------


def _server_trace(server: Backend, mark: Mark) -> bool:
    return bool(server.ask(f"/api/traces/{mark.trace_id}")["spans"])


def _server_metric(server: Backend, mark: Mark) -> bool:
    words = {"name": Metrics.DOCTOR_CHECKS.name, "where": f"mark:{mark.word}", "range": "1h"}
    return bool(server.ask("/api/metrics/plot", **words)["matching"])


def _server_log(server: Backend, mark: Mark) -> bool:
    return any(not log["event_name"] for log in server.ask("/api/logs", trace_id=mark.trace_id)["logs"])


def _server_event(server: Backend, mark: Mark) -> bool:
    return bool(server.ask("/api/logs", trace_id=mark.trace_id, event_name=DOCTOR_CHECK)["logs"])


def _prometheus_metric(prometheus: Backend, mark: Mark) -> bool:
    query = f'{Metrics.DOCTOR_CHECKS.prometheus_name}{{mark="{mark.word}"}}'
    return bool(prometheus.ask("/api/v1/query", query=query)["data"]["result"])


def _loki_log(loki: Backend, mark: Mark) -> bool:
    return _loki(loki, mark, '| event_name=""')


def _loki_event(loki: Backend, mark: Mark) -> bool:
    return _loki(loki, mark, f'| event_name="{DOCTOR_CHECK}"')


def _loki(loki: Backend, mark: Mark, condition: str) -> bool:
    query = f'{{service_name="{SERVICE}"}} | trace_id="{mark.trace_id}" {condition}'
    start = str(int((mark.sent - 60) * 1e9))
    return bool(loki.ask("/loki/api/v1/query_range", query=query, start=start, limit="1")["data"]["result"])


def _stored_trace(store: Backend, mark: Mark) -> bool:
    answer = store.ask(f"/api/traces/{mark.trace_id}")  # Jaeger's and Tempo's path are the same
    return bool(answer.get("data") or answer.get("batches") or answer.get("trace"))


def _server_hints(server: Backend) -> Iterator[Line]:
    for hint in server.ask("/api/status")["hints"]:
        yield Line("server", Verdict.WARN, hint)
    services = server.ask("/api/services", range="24h")["services"]
    others = [row for row in services if row["service"] != SERVICE and row["requests"]]
    if others and not any(row["llm_calls"] for row in others):
        yield Line(
            "server", Verdict.WARN, "no LLM call among the spans of the last 24 hours (no gen_ai attributes)",
            advice="install your client's instrumentation (opentelemetry-instrumentation-genai-…), or use @traced_llm",
        )  # fmt: skip


def _prometheus_hints(prometheus: Backend) -> Iterator[Line]:
    query = 'count by (__name__, job) ({otel_metric_overflow="true"})'
    for entry in prometheus.ask("/api/v1/query", query=query)["data"]["result"]:
        labels = entry["metric"]
        yield Line(
            "prometheus", Verdict.WARN,
            f"{labels.get('__name__')} of {labels.get('job', 'a service')} has more series than are kept apart",
            advice="an attribute of it is made of data (an id, a URL): take it off, or make it a few values",
        )  # fmt: skip


def _no_hints(_: Backend) -> Iterator[Line]:
    return iter(())


def _is_prometheus(prometheus: Backend) -> bool:
    return "status" in prometheus.ask("/api/v1/query", query="1")


def _is_loki(loki: Backend) -> bool:
    return "version" in loki.ask("/loki/api/v1/status/buildinfo")


def _is_trace_store(store: Backend) -> bool:
    """Jaeger lists services; Tempo says echo."""
    try:
        return "data" in store.ask("/api/services")
    except (_RefusedError, ValueError):
        return store.door.ask("/api/echo").text.strip() == "echo"


def _is_server(server: Backend) -> bool:
    return "received" in server.ask("/api/status")


_WITHOUT_COLLECTOR: Final = {"the metric": _server_metric, "the log": _server_log}
_KINDS: Final[Mapping[str, Kind]] = {
    "prometheus": Kind("Prometheus", _is_prometheus, {"the metric": _prometheus_metric}, _prometheus_hints),
    "loki": Kind("Loki", _is_loki, {"the log": _loki_log, "the event": _loki_event}, _no_hints),
    "traces": Kind("Jaeger or Tempo", _is_trace_store, {"the trace": _stored_trace}, _no_hints),
    "server": Kind(
        "an otelkit server", _is_server, {"the trace": _server_trace, "the event": _server_event}, _server_hints
    ),
}
