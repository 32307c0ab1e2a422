"""Each check finds its planted fault, at its line, with what to do; no committed file has one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from otelkit.provision.collector.checks import check
from otelkit.provision.collector.options import Options, parsed
from otelkit.provision.collector.profiles import PROFILES, files, render

Change = Callable[[dict[str, Any]], object]

FILES = {name: text for profile in PROFILES for name, text in render(profile).items()}
STANDARD: dict[str, Any] = yaml.safe_load(FILES["standard.yaml"])


def pipeline(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["service"]["pipelines"][name]
    return found


FAULTS: Mapping[str, tuple[Change, str, str]] = {
    "an unknown component": (
        lambda d: d["processors"].update({"sampler": {}}), "processors.sampler", "there is no component sampler"),
    "a name without a definition": (
        lambda d: pipeline(d, "traces/in")["exporters"].append("otlp_http/gone"),
        "service.pipelines.traces/in.exporters.2", "otlp_http/gone is not defined"),
    "an extension without a definition": (
        lambda d: d["service"]["extensions"].append("pprof"), "service.extensions", "pprof is not defined"),
    "a pipeline that goes nowhere": (
        lambda d: pipeline(d, "logs/kept").update(exporters=[]), "service.pipelines.logs/kept", "has no exporters"),
    "a connector with one end": (
        lambda d: d["service"]["pipelines"].pop("logs/events"), "connectors.forward/events", "does not join"),
    "an extension that is not started": (
        lambda d: d["service"]["extensions"].remove("health_check"), "extensions.health_check", "is not started"),
    "memory_limiter elsewhere than first": (
        lambda d: pipeline(d, "metrics/all")["processors"].reverse(), "service.pipelines.metrics/all",
        "memory_limiter is not its first processor"),
    "no memory_limiter": (
        lambda d: pipeline(d, "traces/in")["processors"].remove("memory_limiter"), "service.pipelines.traces/in",
        "memory_limiter is not its first processor"),
    "the batch processor": (
        lambda d: (d["processors"].update(batch={}), pipeline(d, "logs/kept")["processors"].append("batch")),
        "processors.batch", "the batch processor loses acknowledged data"),
    "a secret in the file": (
        lambda d: d["extensions"].update({"basicauth": {"client_auth": {"username": "u", "password": "hunter2"}}}),
        "extensions.basicauth.client_auth.password", "a secret is written out"),
    "a secret in a header": (
        lambda d: d["exporters"]["otlp_http/loki"].update(headers={"Authorization": "Bearer abc"}),
        "exporters.otlp_http/loki.headers.Authorization", "a secret is written out"),
    "a secret with a default": (
        lambda d: d["exporters"]["otlp_http/loki"].update(headers={"authorization": "${env:T:-changeme}"}),
        "exporters.otlp_http/loki.headers.authorization", "a secret has a default"),
    "a password in an address": (
        lambda d: d["exporters"]["otlp_http/loki"].update(endpoint="https://me:hunter2@logs/otlp"),
        "exporters.otlp_http/loki.endpoint", "a password is written in an address"),
    "a queue in memory": (
        lambda d: d["exporters"]["otlp_grpc/traces"]["sending_queue"].pop("storage"), "exporters.otlp_grpc/traces",
        "its queue is in memory"),
    "a queue nowhere": (
        lambda d: d["exporters"]["otlp_grpc/traces"]["sending_queue"].update(storage="file_storage/2"),
        "exporters.otlp_grpc/traces.sending_queue.storage", "file_storage/2 is not started"),
    "retries with an end": (
        lambda d: d["exporters"]["otlp_grpc/traces"].pop("retry_on_failure"), "exporters.otlp_grpc/traces",
        "it gives up after a while"),
    "a receiver open to all": (
        lambda d: d["receivers"]["otlp"]["protocols"]["http"].update(endpoint="0.0.0.0:4318"),
        "receivers.otlp.protocols.http.endpoint", "anybody who reaches 0.0.0.0 can send to it"),
    "a receiver open by its default": (
        lambda d: d["receivers"]["otlp"]["protocols"]["http"].update(endpoint=":4318"),
        "receivers.otlp.protocols.http.endpoint", "anybody who reaches 0.0.0.0 can send to it"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_profile_passes(name: str) -> None:
    assert check(FILES[name], {}) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_at_its_line(fault: str) -> None:
    change, place, what = FAULTS[fault]
    document = copy.deepcopy(STANDARD)
    change(document)
    text = yaml.safe_dump(document, sort_keys=False)
    (found,) = [problem for problem in check(text, {}) if problem.fatal and place in problem.place]
    assert what in found.what
    assert found.fix
    lines = text.splitlines()
    last = place.rpartition(".")[2]
    assert last in lines[found.line - 1] or (last.isdigit() and "otlp_http/gone" in lines[found.line - 1])


def test_who_could_reach_a_listener_is_asked_of_the_environment() -> None:
    text = FILES["standard.yaml"]
    assert check(text, {"OTELKIT_COLLECTOR_HOST": "localhost"}) == []
    found = check(text, {"OTELKIT_COLLECTOR_HOST": "0.0.0.0"})
    assert [problem.place for problem in found] == [
        "receivers.otlp.protocols.grpc.endpoint", "receivers.otlp.protocols.http.endpoint",
    ]  # fmt: skip
    assert all(problem.fatal for problem in found)
    notes = check(text, {"OTELKIT_COLLECTOR_SCRAPE_HOST": "0.0.0.0"})
    assert notes
    assert not any(problem.fatal for problem in notes)


def test_components_of_the_contrib_image_are_noted() -> None:
    (text,) = render("standard", Options(elasticsearch=True)).values()
    (note,) = check(text, {})
    assert not note.fatal
    assert note.elsewhere
    assert "elasticsearch is not in otelkit's distribution" in str(note)
    assert "contrib image" in text.partition("\nextensions:")[0]


def test_old_names_are_noted() -> None:
    text = FILES["dev.yaml"].replace("otlp_http/otelkit", "otlphttp/otelkit")
    (note,) = check(text, {})
    assert (note.fatal, note.what) == (False, "otlphttp is the old name of otlp_http")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("receivers:\n  otlp: [\n", 3, "no YAML"),
        ("receivers: {a: 1}\n b: 2\n", 2, "no YAML"),
        ("", 1, "there are no pipelines"),
        ("- 1\n", 1, "there are no pipelines"),
        ("service: {pipelines: []}\n", 1, "there are no pipelines"),
    ],
)
def test_what_is_no_configuration_is_one_problem(text: str, line: int, what: str) -> None:
    (found,) = check(text, {})
    assert (found.line, found.fatal) == (line, True)
    assert found.what.startswith(what)


@pytest.mark.parametrize("section", ["1", "{receivers: x}", "{receivers: [1], exporters: {a: b}}"])
def test_wrong_shapes_are_problems_and_no_crash(section: str) -> None:
    text = f"receivers: 5\nexporters: [a]\nservice: {{extensions: 7, pipelines: {{traces: {section}}}}}"
    assert any(problem.fatal for problem in check(text, {}))


SHAPES: Mapping[str, tuple[Change, str, str]] = {
    "processors in a list": (
        lambda d: d.update(processors=[{"memory_limiter": {}}]), "processors",
        "a list stands where names with settings belong"),
    "receivers as text": (
        lambda d: d.update(receivers="otlp"), "receivers", "text stands where names with settings belong"),
    "settings as a number": (
        lambda d: d["exporters"].update({"otlp_http/loki": 3100}), "exporters.otlp_http/loki",
        "a number stands where names with settings belong"),
    "extensions as text": (
        lambda d: d["service"].update(extensions="file_storage"), "service.extensions",
        "text stands where a list of names belongs"),
    "a pipeline in a list": (
        lambda d: d["service"]["pipelines"].update({"logs/kept": ["otlp"]}), "service.pipelines.logs/kept",
        "a list stands where names with settings belong"),
    "processors of a pipeline as text": (
        lambda d: pipeline(d, "logs/kept").update(processors="redaction"), "service.pipelines.logs/kept.processors",
        "text stands where a list of names belongs"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SHAPES)
def test_a_wrong_shape_is_one_problem_at_its_line(fault: str) -> None:
    change, place, what = SHAPES[fault]
    document = copy.deepcopy(STANDARD)
    change(document)
    text = yaml.safe_dump(document, sort_keys=False)
    (found,) = check(text, {})
    assert (found.fatal, found.place, found.what) == (True, place, what)
    assert text.splitlines()[found.line - 1].strip().startswith(place.rpartition(".")[2])


def test_what_is_empty_has_no_wrong_shape() -> None:
    assert check(FILES["dev.yaml"] + "\nconnectors:\n", {}) == []


# --- what the profiles promise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_no_host_port_or_folder_is_fixed(name: str) -> None:
    """Tests, containers and machines run the same file."""
    document = yaml.safe_load(FILES[name])
    fixed = [
        f"{path}: {value}" for path, value in _scalars(document, "")
        if path.rpartition(".")[2] in {"endpoint", "directory", "host", "port"} and not str(value).startswith("${env:")
    ]  # fmt: skip
    assert fixed == []


def _scalars(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [found for key, entry in value.items() for found in _scalars(entry, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for entry in value for found in _scalars(entry, path)]
    return [(path, value)]


def test_the_committed_files_are_the_defaults() -> None:
    assert files() == {f"config/{name}": text for name, text in FILES.items()}
    folder = Path(__file__).parents[2] / "collector"
    assert all((folder / name).read_text("utf-8") == text for name, text in files().items())


def test_a_gateway_asks_for_a_token_and_sends_events_on_before_it_samples() -> None:
    document = yaml.safe_load(FILES["gateway.yaml"])
    for protocol in document["receivers"]["otlp"]["protocols"].values():
        assert protocol["auth"] == {"authenticator": "bearertokenauth/receiver"}
        assert set(protocol["tls"]) == {"cert_file", "key_file"}
    sampled = [
        name for name, entry in document["service"]["pipelines"].items() if "tail_sampling" in entry["processors"]
    ]
    assert sampled == ["traces/sampled"]
    assert pipeline(document, "traces/sampled")["exporters"] == ["otlp_grpc/traces"]
    assert pipeline(document, "traces/in")["exporters"] == ["forward/sampled", "forward/ai_spans"]


def test_options_come_out_as_chosen() -> None:
    words = ["slow=1500ms", "expensive=0.5", "keep=25", "decision_wait=1m30s", "traces_held=7"]
    document = yaml.safe_load(render("gateway", parsed(words, "gateway"))["gateway.yaml"])
    settings = document["processors"]["tail_sampling"]
    assert settings["decision_wait"] == "1m30s"
    assert settings["num_traces"] == 7
    by_name = {policy["name"]: policy for policy in settings["policies"]}
    assert by_name["slow"]["latency"] == {"threshold_ms": 1500}
    assert "0.5" in by_name["expensive"]["ottl_condition"]["span"][0]
    assert by_name["a share"]["probabilistic"] == {"sampling_percentage": 25.0}
