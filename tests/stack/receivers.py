"""Where messages arrive: a webhook (Slack's are one, too) and a mail server, both of which keep what came."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["MailServer", "Message", "Webhook"]


@dataclass(frozen=True)
class Message:
    """One message: when it came (seconds), its JSON, its headers."""

    at: float
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    def names(self, status: str = "firing") -> set[str]:
        """The alerts in one of Alertmanager's messages."""
        return {alert["labels"]["alertname"] for alert in self.body["alerts"] if alert["status"] == status}


class _Server:
    def __init__(self, server: socketserver.TCPServer) -> None:
        self._server = server
        self.port = int(server.server_address[1])
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Webhook(_Server):
    """Takes JSON and keeps it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        kept = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kept.append(Message(time.monotonic(), body, dict(self.headers)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        self.url = f"http://127.0.0.1:{self.port}/alerts"

    def names(self, status: str = "firing") -> set[str]:
        """The alerts of all messages so far."""
        return {name for message in self.messages for name in message.names(status)}

    def about(self) -> set[tuple[str, str | None]]:
        """The alerts of all messages so far, each with its service."""
        labels = [alert["labels"] for message in self.messages for alert in message.body["alerts"]]
        return {(each["alertname"], each.get("service_name")) for each in labels}


class MailServer(_Server):
    """Speaks enough SMTP to take a message from this machine."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        kept = self.messages

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 here")
                while line := self.rfile.readline():
                    verb = line.decode().split()[0].upper()
                    if verb == "DATA":
                        self._take()
                    self._say("221 bye" if verb == "QUIT" else "250 ok")

            def _take(self) -> None:
                self._say("354 go on")
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                kept.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))

            def _say(self, words: str) -> None:
                self.wfile.write(f"{words}\r\n".encode())

        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
