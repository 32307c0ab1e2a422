"""The example chatbot: its parts, and the whole service in a process of its own, asking the stand-in for OpenAI."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from otelkit.testing.openai_server import OpenAIServer

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


@pytest.fixture
def drive() -> Any:
    return import_module("rag_chatbot.drive")


@pytest.fixture
def tools() -> Any:
    return import_module("rag_chatbot.tools")


@pytest.fixture
def retrieval() -> Any:
    return import_module("rag_chatbot.retrieval")


# Retrieval


def test_best_passage_comes_first_with_a_score_between_0_and_1(retrieval: Any, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Kit\n\nA kit for telemetry.\n")
    (tmp_path / "docs" / "privacy.md").write_text(
        "# Privacy\n\nNothing is captured.\n\n## Redaction\n\nEmail addresses are redacted before export.\n\n"
        "```\n# no heading in here\n```\n"
    )
    handbook = retrieval.Handbook.of_project(tmp_path)
    assert len(handbook) == 3
    found = handbook.retrieve("What happens to email addresses when they are exported?")
    assert found[0].title == "Privacy › Redaction"
    assert found[0].id == "docs/privacy.md#2"
    assert [0 < passage.score < 1 for passage in found] == [True] * len(found)
    assert [passage.score for passage in found] == sorted((passage.score for passage in found), reverse=True)


@pytest.mark.parametrize(
    "query", ["", "?", '" OR "', "NEAR(a b)", "title:privacy*", "what is it", "'; DROP TABLE passages"]
)
def test_no_query_is_an_operator_or_an_error(retrieval: Any, tmp_path: Path, query: str) -> None:
    (tmp_path / "README.md").write_text("# Kit\n\nText.\n")
    handbook = retrieval.Handbook.of_project(tmp_path)
    assert handbook.retrieve(query) == []
    assert len(handbook) == 1


def test_long_sections_are_cut_between_paragraphs(retrieval: Any) -> None:
    paragraphs = "\n\n".join(f"Paragraph {number}. " + "word " * 80 for number in range(9))
    table = "\n".join(f"| row {number} | {'cell ' * 20}|" for number in range(40))
    passages = list(retrieval.split("long.md", f"# Long\n\n{paragraphs}\n\n## Table\n\n{table}\n"))
    assert len(passages) > 2
    assert all(len(passage.text) <= retrieval.MOST_CHARACTERS for passage in passages)
    assert all(passage.text.startswith(("Paragraph", "| row")) for passage in passages)
    assert sum(passage.text.count("| row") for passage in passages) == 40
    assert len({passage.id for passage in passages}) == len(passages)


# Tools


@pytest.mark.parametrize(
    ("expression", "result"),
    [("240 * 15 / 100", 36), ("128 * 7 + 19", 915), ("-(2 + 3) * 1.5", -7.5), ("1 / 3", 0.333333)],
)
def test_calculate(tools: Any, expression: str, result: float) -> None:
    assert tools.calculate(expression) == {"expression": expression, "result": result}


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "2 +",
        "9 ** 9 ** 9",
        "__import__('os')",
        "True + 1",
        "1e300 * 10",
        "'a' * 9",
        "x",
        "(" * 500,
        "9" * 5000,
    ],
)
def test_calculate_refuses_everything_else(tools: Any, expression: str) -> None:
    with pytest.raises(tools.CalculationError):
        tools.calculate(expression)


def test_find_order(tools: Any) -> None:
    order = asyncio.run(tools.find_order("4107"))
    assert order["order"] == "4107"
    assert order["total"].endswith(" EUR")
    for number in ("9999", "4107; --", "", "²"):
        with pytest.raises(tools.OrderNotFound):
            asyncio.run(tools.find_order(number))


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("find_order", '{"order_number": "9999"}', "there is no order 9999"),
        ("find_order", "{", "the arguments do not fit the tool"),
        ("find_order", "[]", "the arguments do not fit the tool"),
        ("find_order", "{}", "the arguments do not fit the tool"),
        ("sing", "{}", "there is no tool sing"),
    ],
)
def test_a_failing_tool_tells_the_model(tools: Any, name: str, arguments: str, problem: str) -> None:
    assert json.loads(asyncio.run(tools.run(name, arguments))) == {"error": problem}


# The driver


def test_conversations_follow_from_the_seed(drive: Any) -> None:
    assert drive.conversations(40, 1) == drive.conversations(40, 1)
    assert drive.conversations(40, 1) != drive.conversations(40, 2)
    assert drive.conversations(40, 1)[:5] == drive.conversations(5, 1)


def test_a_few_dozen_conversations_show_everything(drive: Any, tools: Any) -> None:
    held = drive.conversations(36, 1)
    assert all(1 <= len(conversation.turns) <= 4 for conversation in held)
    assert {conversation.group for conversation in held} == {"northwind", "globex", "acme", "initech"}
    assert len({conversation.user for conversation in held}) >= 6
    assert "" in {conversation.consent for conversation in held}
    turns = [turn for conversation in held for turn in conversation.turns]
    assert {turn.stream for turn in turns} == {True, False}
    assert {turn.rating for turn in turns} == {1, 0, -1}
    numbers = {int(word.strip("?,.")) for turn in turns for word in turn.message.split() if word.strip("?,.").isdigit()}
    assert numbers & set(tools.RECENT_ORDERS)
    assert numbers & set(tools.ARCHIVED_ORDERS)
    assert any(number > 9000 for number in numbers)
    assert any(turn.message == drive.LONG for turn in turns)


# The service


@dataclass(frozen=True)
class Service:
    """The running chatbot and what it asks."""

    url: str
    openai: OpenAIServer

    def post(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, str]:
        """Status and text of an answer."""
        sent = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode(), headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("chatbot")
    port = _free_port()
    with OpenAIServer(latency=0, every={"rate_limit": 19}) as standin, (folder / "output").open("w") as output:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": standin.base_url,
            "OPENAI_API_KEY": "any",
            # Nobody listens there: the service has to work all the same.
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{_free_port()}",
            "OTELKIT_AUDIT": "false",  # there is no server
            "TELE_SALT": "a salt for this test only",
        }
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "rag_chatbot.app:app",
            "--app-dir",
            str(EXAMPLES),
            "--port",
            str(port),
        ]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_up(f"http://127.0.0.1:{port}/health", process, folder / "output")
            yield Service(f"http://127.0.0.1:{port}", standin)
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_up(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the chatbot did not start:\n{output.read_text()}")


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def test_a_streamed_answer_comes_in_pieces_that_join_to_the_answer(service: Service) -> None:
    status, text = service.post("/chat", {"message": "Where is order 4107, and how much is 15% of 240?"})
    events = events_of(text)
    assert status == 200
    assert [event["name"] for event in events if event["type"] == "tool"] == ["find_order", "calculate"]
    pieces = [event["text"] for event in events if event["type"] == "text"]
    assert len(pieces) > 10
    assert events[-1]["type"] == "done"
    assert "".join(pieces) == events[-1]["answer"]
    assert "Order 4107" in events[-1]["answer"]
    assert "comes to 36" in events[-1]["answer"]


def test_a_failing_tool_still_ends_in_an_answer(service: Service) -> None:
    _, text = service.post("/chat", {"message": "Where is order 9999?", "stream": False})
    assert "there is no order 9999" in json.loads(text)["answer"]


def test_the_handbook_is_quoted_with_sources(service: Service) -> None:
    _, text = service.post("/chat", {"message": "How does otelkit protect user ids?", "stream": False})
    answer = json.loads(text)
    assert answer["sources"]
    assert all(0 < source["score"] < 1 for source in answer["sources"])
    assert "pseudonym" in answer["answer"].lower()


def test_what_was_said_before_is_told_to_the_model(service: Service) -> None:
    tokens = []
    for _ in range(2):
        service.post("/chat", {"message": "Thank you!", "conversation_id": "c-memory", "stream": False})
        tokens.append(service.openai.ledger[-1].prompt_tokens)
    assert tokens[1] > tokens[0]


@pytest.mark.parametrize(
    ("group", "model"), [("northwind", "gpt-4o-mini"), ("globex", "gpt-4o"), ("acme", "acme-support-ft")]
)
def test_groups_have_their_models(service: Service, group: str, model: str) -> None:
    service.post("/chat", {"message": "Hello", "stream": False}, x_user="ada", x_group=group)
    assert service.openai.ledger[-1].model == model
    service.post("/chat", {"message": "Hello", "group": group, "stream": True})
    assert service.openai.ledger[-1].model == model


def test_a_withdrawn_model_is_an_error_and_not_a_broken_stream(service: Service) -> None:
    status, text = service.post("/chat", {"message": "Hello"}, x_group="initech")
    assert status == 200
    (event,) = events_of(text)
    assert (event["type"], event["error"]) == ("error", "NotFoundError")
    status, text = service.post("/chat", {"message": "Hello", "stream": False}, x_group="initech")
    assert status == 502
    assert "initech" not in text


def test_feedback_is_taken_for_known_conversations_only(service: Service) -> None:
    _, text = service.post("/chat", {"message": "Hello", "stream": False})
    answer = json.loads(text)
    rated = {"conversation_id": answer["conversation_id"], "message_id": answer["message_id"], "rating": 1}
    assert service.post("/feedback", rated)[0] == 204
    assert service.post("/feedback", {**rated, "conversation_id": "c-unheard-of"})[0] == 404
    assert service.post("/feedback", {**rated, "rating": 5})[0] == 422


@pytest.mark.parametrize(
    "body", [{}, {"message": ""}, {"message": "x" * 2001}, {"message": "x", "conversation_id": "a b"}]
)
def test_invalid_messages_are_refused(service: Service, body: dict[str, Any]) -> None:
    assert service.post("/chat", body)[0] == 422


def test_the_page_is_one_file_that_loads_nothing_from_elsewhere(service: Service) -> None:
    with urllib.request.urlopen(service.url + "/") as response:
        page = response.read().decode()
    assert "<title>Handbook assistant</title>" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "innerHTML" not in page


def test_the_driver_counts_what_the_service_did(service: Service, drive: Any) -> None:
    before = len(service.openai.ledger)
    seen: list[tuple[int, int]] = []
    held = drive.conversations(24, 3)
    report = asyncio.run(drive.run(service.url, held, lambda done, of: seen.append((done, of))))
    assert seen == [(number, 24) for number in range(1, 25)]
    turns = [(conversation, turn) for conversation in held for turn in conversation.turns]
    assert report.messages == len(turns) == sum(report.messages_by_group.values())
    assert report.streamed == sum(turn.stream for _, turn in turns)
    answered = [turn for conversation, turn in turns if conversation.group != "initech" and turn.message != drive.LONG]
    assert report.answers == len(answered) < len(turns)
    assert sum(report.errors.values()) == len(turns) - len(answered)
    assert report.feedback == sum(turn.rating != 0 for turn in answered)
    assert set(report.tools) >= {"find_order", "calculate"}
    new = service.openai.ledger[before:]
    assert {entry.status for entry in new} == {200, 404, 429}
    # Each answer took at least one call; each call that succeeded reported what it used.
    assert sum(entry.status == 200 for entry in new) >= report.answers
    assert all(entry.usage_reported for entry in new if entry.status == 200)
