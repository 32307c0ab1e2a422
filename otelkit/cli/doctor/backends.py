"""The last hops: the places a marked record can end in, and how each is asked for it."""

from __future__ import annotations

import email.utils
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from otelkit.cli.doctor.marked import SERVICE, Mark
from otelkit.cli.doctor.report import Line, Verdict
from otelkit.semconv.events import DOCTOR_CHECK
from otelkit.semconv.metrics import Metrics

__all__ = ["Backend", "backends", "follow"]

_ANSWER_SECONDS: Final = 10.0
_SKEW_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Backend:
    """One place records end in.

    Attributes:
        name: as the line is headed.
        url: its address, without a path.
        ready: path that answers when it is well.
        option: the option that names its address.
        seeks: what of the mark is looked for: its name, and the question whose answer is true once it is there.
        headers: sent with each question.
        insists: whether somebody named it, so that its absence is a failure.
        hints: further lines about what it knows.
    """

    name: str
    url: str
    ready: str
    option: str
    seeks: Mapping[str, Callable[[Backend, Mark], bool]]
    headers: Mapping[str, str]
    insists: bool
    hints: Callable[[Backend], Iterator[Line]]

    def absent(self) -> Line | None:
        """Return a line when it does not answer, None when it does."""
        try:
            self.ask(self.ready)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None  # somebody is there: Tempo has none of Jaeger's other paths
            found = f"{self.url} answers HTTP {error.code}"
        except (OSError, ValueError):
            found = f"nothing answers at {self.url}"
        else:
            return None
        verdict = Verdict.FAIL if self.insists else Verdict.SKIP
        advice = f"is it running there? {self.option} names another address" if self.insists else ""
        if found.endswith((" 401", " 403")):
            advice = "give it a token: OTELKIT_READ_TOKEN for the otelkit server"
        return Line(self.name, verdict, f"not looked at: {found} ({self.option})", advice=advice)

    def remarks(self) -> list[Line]:
        """Return what else it knows; nothing where it does not say."""
        try:
            return list(self.hints(self))
        except (OSError, ValueError, LookupError, TypeError):
            return []

    def has(self, kind: str, mark: Mark) -> bool:
        """Say whether the record of that kind is there now."""
        try:
            return self.seeks[kind](self, mark)
        except (OSError, ValueError, LookupError, TypeError):  # it answers, but not what was asked
            return False

    def clock(self) -> Line | None:
        """Return a warning when its clock is not ours: records would seem to come from the past or the future."""
        before = time.time()
        try:
            with self._open(self.ready) as answer:
                said = answer.headers.get("Date")
        except OSError:
            return None
        if said is None:
            return None
        ahead = email.utils.parsedate_to_datetime(said).timestamp() + 0.5 - (before + time.time()) / 2
        if abs(ahead) < _SKEW_SECONDS:
            return None
        found = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        return Line(self.name, Verdict.WARN, found, advice="let both machines keep time by NTP")

    def ask(self, path: str, **words: str) -> Any:
        """Return the answer to a question: JSON where it is that, else text."""
        with self._open(f"{path}?{urlencode(words)}" if words else path) as answer:
            body = answer.read()
        return json.loads(body) if "json" in (answer.headers.get("Content-Type") or "") else body.decode()

    def _open(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers=dict(self.headers))  # noqa: S310 - http(s) only, see options
        return urllib.request.urlopen(request, timeout=_ANSWER_SECONDS)  # noqa: S310


def follow(present: Sequence[Backend], mark: Mark, wait: float, why_not: Callable[[str], str]) -> Iterator[Line]:
    """Wait up to ``wait`` seconds for every record everywhere, and tell of each as it arrives.

    Args:
        present: who is asked, in turn.
        mark: what to look for.
        wait: seconds.
        why_not: says what to change for a kind of record that did not arrive.
    """
    pending = [(backend, kind) for backend in present for kind in backend.seeks]
    end = time.monotonic() + wait
    while pending and time.monotonic() < end:
        for backend, kind in tuple(pending):
            if backend.has(kind, mark):
                pending.remove((backend, kind))
                yield Line(backend.name, Verdict.OK, f"{kind} arrived", time.time() - mark.sent)
        time.sleep(_POLL_SECONDS if pending else 0)
    for backend, kind in pending:
        yield Line(backend.name, Verdict.FAIL, f"{kind} did not arrive within {wait:.0f} s", advice=why_not(kind))


def backends(
    named: Mapping[str, str | None], defaults: Mapping[str, str], token: str, *, direct: bool
) -> list[Backend]:
    """Return the backends to look at: the named ones, and those that may listen where they usually do.

    Args:
        named: address by backend, as the options gave it; ``none`` leaves one out.
        defaults: address by backend where none was named.
        token: of the otelkit server, if it wants one.
        direct: whether no Collector is between: then the server gets every signal.
    """
    found = []
    for name, (ready, seeks, hints) in _KINDS.items():
        address = named.get(name) or defaults[name]
        seeks = {**seeks, **_DIRECT} if direct and name == "server" else seeks
        if address != "none":
            headers = {"Authorization": f"Bearer {token}"} if token and name == "server" else {}
            insists = bool(named.get(name))
            found.append(Backend(name, address.rstrip("/"), ready, f"--{name}", seeks, headers, insists, hints))
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


_Seeks = Mapping[str, Callable[[Backend, Mark], bool]]
_DIRECT: Final[_Seeks] = {"the metric": _server_metric, "the log": _server_log}
_KINDS: Final[Mapping[str, tuple[str, _Seeks, Callable[[Backend], Iterator[Line]]]]] = {
    "prometheus": ("/-/ready", {"the metric": _prometheus_metric}, _prometheus_hints),
    "loki": ("/ready", {"the log": _loki_log, "the event": _loki_event}, _no_hints),
    "traces": ("/api/services", {"the trace": _stored_trace}, _no_hints),
    "server": ("/api/status", {"the trace": _server_trace, "the event": _server_event}, _server_hints),
}
