"""``otelkit demo``: a retrieval chatbot at work, and the page that shows it."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from otelkit import settings
from otelkit.cli.processes import Family, free_port, get_json, port_or_free
from otelkit.errors import OtelkitError

__all__ = ["add_parser", "run"]

_EPILOG: Final = """examples:
  otelkit demo                       stays up until Ctrl-C, so that you can look around
  otelkit demo --once                checks its own figures, then ends (for CI)
  otelkit demo --conversations 200
"""
_SETTLE_SECONDS: Final = 30.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "demo",
        help="a chatbot at work, and the page that shows it",
        description="Start a FastAPI retrieval chatbot with a stand-in for its model, drive conversations, show them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="check the figures and end: exit status 0 when all agree")
    parser.add_argument("--conversations", type=int, default=40, metavar="N", help="how many (default 40)")
    parser.add_argument("--latency", type=float, default=0.4, help="1 = as slow as a real model (default 0.4)")
    parser.add_argument("--port", type=int, default=4318, help="port of the page (a free one when it is taken)")
    parser.set_defaults(run=run)


class _Demo(NamedTuple):
    page: str
    chat: str
    model: str


def run(args: argparse.Namespace) -> int:
    """Run the demo; 1 when its own figures do not agree."""
    if args.conversations < 1:
        raise OtelkitError("--conversations must be at least 1")
    examples = _examples()
    drive = _load(examples / "rag_chatbot" / "drive.py")
    with tempfile.TemporaryDirectory(prefix="otelkit-demo-") as folder, Family() as family:
        demo = _start(family, Path(folder), examples, args)
        print(f"page  {demo.page}/\nchat  {demo.chat}/\n", flush=True)
        conversations = drive.conversations(args.conversations, seed=1)
        report = asyncio.run(drive.run(demo.chat, conversations, _progress(sys.stdout.isatty())))
        found = _settled(demo, report)
        print(_summary(demo, report, found), flush=True)
        problems = _disagreements(demo, report, found)
        for problem in problems:
            print(f"figures do not agree: {problem}", file=sys.stderr)
        if args.once:
            return 1 if problems else 0
        print(f"\nLook around at {demo.page}/ and chat at {demo.chat}/. Ctrl-C ends the demo.", flush=True)
        _wait_for_interrupt()
        return 0


def _examples() -> Path:
    examples = Path(__file__).resolve().parents[2] / "examples"
    if not (examples / "rag_chatbot" / "app.py").is_file():
        raise OtelkitError("the demo's service is in the repository: clone it and run `make demo` there")
    return examples


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"otelkit_demo_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def _start(family: Family, folder: Path, examples: Path, args: argparse.Namespace) -> _Demo:
    environment = settings.without_telemetry_options(settings.current_environment())
    model_port, chat_port = free_port(), free_port()
    page = family.start_server(port_or_free(args.port), str(folder / "demo.db"), environment, folder / "server.log")
    model = f"http://127.0.0.1:{model_port}"
    stand_in = [sys.executable, "-m", "otelkit.testing.openai_server", "--port", str(model_port)]
    stand_in += ["--latency", str(args.latency), "--every", "rate_limit=17", "--every", "slow_first_token=23"]
    family.start("the model", stand_in, environment, folder / "model.log").wait_until_it_answers(f"{model}/ledger")
    chat = f"http://127.0.0.1:{chat_port}"
    service = [sys.executable, "-m", "uvicorn", "rag_chatbot.app:app", "--app-dir", str(examples)]
    service += ["--port", str(chat_port), "--log-level", "warning"]
    told = environment | {
        "OTELKIT_ENDPOINT": page,
        "OTELKIT_ENVIRONMENT": "demo",
        "OTELKIT_VERSION": "1.0.0",
        "OTELKIT_CAPTURE_CONTENT": "true",  # it stays on this machine, and the demo's users are made up
        "OTELKIT_FLUSH_SECONDS": "0.2",
        "OTEL_METRIC_EXPORT_INTERVAL": "2000",
        "OPENAI_BASE_URL": f"{model}/v1",
        "OPENAI_API_KEY": "sk-demo",
    }
    family.start("the chatbot", service, told, folder / "chat.log").wait_until_it_answers(f"{chat}/health")
    return _Demo(page, chat, model)


def _progress(interactive: bool) -> Callable[[int, int], None]:
    started = time.monotonic()

    def show(done: int, total: int) -> None:
        if interactive:
            filled = 30 * done // max(total, 1)
            line = f"\rconversations  [{'#' * filled}{'.' * (30 - filled)}] {done}/{total}  "
            print(f"{line}{time.monotonic() - started:.0f} s", end="\n\n" if done == total else "", flush=True)
        elif done == total or done % 10 == 0:
            print(f"conversations  {done}/{total}", flush=True)

    return show


class _Found(NamedTuple):
    """What the server and the stand-in's ledger say when the last trace has arrived."""

    traces: list[dict[str, Any]]
    models: dict[str, Any]
    steps: list[dict[str, Any]]
    logs: int
    jobs: int
    errors: dict[str, Any]
    slow_queries: int
    audited: int
    ledger: list[dict[str, Any]]


def _settled(demo: _Demo, report: Any) -> _Found:
    """Read back once every message's trace is there, or after 30 s what there is."""
    end = time.monotonic() + _SETTLE_SECONDS
    while True:
        traces = _all_traces(demo.page)
        jobs = get_json(f"{demo.page}/api/jobs?range=all")["total"]["runs"]
        chats = sum(trace["name"] == "POST /chat" and trace["complete"] for trace in traces)
        if chats >= report.messages and jobs >= report.feedback:
            break
        if time.monotonic() > end:
            break
        time.sleep(0.3)
    time.sleep(0.5)  # the last logs
    ledger = get_json(f"{demo.model}/ledger")
    return _Found(
        traces,
        get_json(f"{demo.page}/api/models?range=all"),
        get_json(f"{demo.page}/api/steps?range=all")["steps"],
        get_json(f"{demo.page}/api/status")["stored"]["logs"],
        jobs,
        get_json(f"{demo.page}/api/errors/groups?range=all"),
        sum(query["times"] for query in get_json(f"{demo.page}/api/databases?range=all")["slow"]),
        get_json(f"{demo.page}/api/audit?action=answer.flagged")["total"],
        ledger["entries"] if isinstance(ledger, dict) else ledger,
    )


def _all_traces(page: str) -> list[dict[str, Any]]:
    traces: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = get_json(f"{page}/api/traces?range=all&limit=200{cursor}")
        traces += answer["traces"]
        if not answer["next_cursor"]:
            return traces
        cursor = f"&cursor={answer['next_cursor']}"


def _summary(demo: _Demo, report: Any, found: _Found) -> str:
    total = found.models["total"]
    tokens = total["tokens"]["total"] if total["tokens"] else None
    slowest = max(
        (step for step in found.steps if step["step"] in {"llm", "retrieval", "tool"}),
        key=lambda step: step["p95_ms"] or 0,
        default=None,
    )
    unpriced = sorted({f"{item['provider']}/{item['model']}" for item in found.models["unpriced"]})
    lines = [
        f"conversations  {report.conversations}",
        f"messages       {report.messages}, {sum(report.errors.values())} failed",
        f"traces         {len(found.traces)}",
        f"LLM calls      {total['calls']}, {total['errors']} failed",
        f"tokens         {tokens:,}" if tokens is not None else "tokens         not reported",
        f"cost           ${total['cost_usd']:.4f}" if total["cost_usd"] is not None else "cost           unknown",
        f"log records    {found.logs}",
        f"jobs           {found.jobs}",
        f"errors         {found.errors['total']} different ones, seen {found.errors['occurrences']} times",
        f"slow queries   {found.slow_queries}",
        f"audit entries  {found.audited}",
    ]
    if unpriced:
        lines.append(f"not priced     {', '.join(unpriced)}: their cost is unknown and not in the total")
    if slowest is not None:
        lines.append(f"slowest step   {slowest['label']}, p95 {slowest['p95_ms'] / 1000:.2f} s")
    return "\n".join(lines)


def _disagreements(demo: _Demo, report: Any, found: _Found) -> list[str]:
    """Compare what the server shows with what the driver sent and what the stand-in for the model counted."""
    answered = [entry for entry in found.ledger if entry["status"] == 200 and entry["operation"] == "chat"]
    reported = [entry for entry in answered if entry["usage_reported"]]
    total = found.models["total"]
    shown = total["tokens"] or {"input": None, "output": None}
    chats = sum(trace["name"] == "POST /chat" for trace in found.traces)
    checks = [
        ("chat traces", chats, report.messages),
        ("background jobs", found.jobs, report.feedback),
        ("audit entries", found.audited, report.flagged),
        ("successful LLM calls", total["calls"] - total["errors"], len(answered)),
        ("input tokens", shown["input"], sum(entry["prompt_tokens"] for entry in reported)),
        ("output tokens", shown["output"], sum(entry["completion_tokens"] for entry in reported)),
    ]
    problems = [f"{name}: the page shows {seen}, {truth} happened" for name, seen, truth in checks if seen != truth]
    if any(trace["errors"] for trace in found.traces) != bool(found.errors["total"]):
        problems.append("what failed and the errors shown do not agree")
    if not found.logs:
        problems.append("no log record arrived")
    if not total["cost_usd"]:
        problems.append("no cost was found")
    return problems


def _wait_for_interrupt() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print("\nstopping")
