"""A server as an object: in a test, in ``otelkit demo``, and behind ``otelkit serve``."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final

import uvicorn

from otelkit.errors import MissingExtraError, OtelkitError, SettingsError, StorageError
from otelkit.mapping.redaction import Redactor
from otelkit.server.access import Access
from otelkit.server.app import build_app
from otelkit.server.config import ServerConfig
from otelkit.server.connections import allow_connections, limited_protocol
from otelkit.server.enrich import Enricher
from otelkit.server.insights.status import Status
from otelkit.server.noticed import note_settings
from otelkit.server.pipeline import Pipeline
from otelkit.server.prices import open_prices, warm_up
from otelkit.server.repricing import Repricing
from otelkit.server.storage.database import Database
from otelkit.server.storage.retention import Retention
from otelkit.server.storage.store import Limits, Store
from otelkit.settings import package_version

if TYPE_CHECKING:
    from otelkit.server.grpc_receiver import GrpcReceiver

__all__ = ["Server"]

_log = logging.getLogger(__name__)
_START_SECONDS: Final = 30.0


class Server:
    """One server; a context manager, or :meth:`start` and :meth:`stop`, or :meth:`run` to serve until interrupted.

    The constructor opens the database and the port, so that what cannot work is said before anything runs.

    Raises:
        SettingsError: an option cannot work, or the port is taken.
        StorageError: the database cannot be opened.
    """

    def __init__(self, config: ServerConfig | None = None) -> None:
        self.config = config or ServerConfig()
        self.config.validate()
        self._prices = open_prices(self.config.prices, self.config.free_providers)
        self._socket = _listen(self.config.host, self.config.port)
        self._port = int(self._socket.getsockname()[1])  # still asked for when the socket has been closed
        try:
            self.database = Database(self.config.database, cache=self.config.cache)
        except BaseException:
            self._socket.close()
            raise
        redactor = Redactor(capture_content=self.config.keep_content)
        enricher = Enricher(self._prices, redactor, self.database.secret())
        store = Store(self.database, enricher, Limits(self.config.max_series, self.config.max_metric_series))
        waiting, decoded = self.config.max_waiting, self.config.max_decoded
        self.pipeline = Pipeline(store, max_waiting=waiting, max_decoded=decoded, keep=self.config.keep)
        self.repricing = Repricing(self._prices, enricher.cost_of, self.pipeline.run)
        store.on_taken_over = self.repricing.load
        with self.database.reading() as connection:
            self.repricing.load(connection)
        self.retention = Retention(
            store, self.pipeline.run, self.config.keep, self.config.max_size, audit_keep=self.config.audit_keep
        )
        version = package_version()
        self.status = Status(self.database, self.pipeline.progress, self.retention, version, lambda: self.url)
        self.app = build_app(self.config, self.database, self.pipeline, self.status, self.repricing)
        self._uvicorn = _Uvicorn(
            uvicorn.Config(
                self.app,
                loop="auto",
                http=limited_protocol(
                    head_seconds=self.config.head_seconds, request_seconds=self.config.request_seconds
                ),
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                backlog=512,
                ssl_certfile=self.config.tls[0] if self.config.tls else None,
                ssl_keyfile=self.config.tls[1] if self.config.tls else None,
                timeout_keep_alive=75,
                limit_concurrency=self.config.max_connections,
                timeout_graceful_shutdown=5,
            )
        )
        self._grpc = self._open_grpc()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def port(self) -> int:
        """The port it listens on, also where any free one was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """Where page, API and OTLP are."""
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'https' if self.config.tls else 'http'}://{host}:{self.port}"

    @property
    def grpc_port(self) -> int | None:
        """The port of OTLP/gRPC, None where it is not served."""
        return self._grpc.port if self._grpc else None

    def start(self) -> Server:
        """Serve in a thread and return once requests are answered."""
        if self._thread is None:
            self._begin()
            self._thread = threading.Thread(target=self._serve, name="otelkit-server", daemon=True)
            self._thread.start()
            if not self._uvicorn.answering.wait(_START_SECONDS):
                raise OtelkitError(f"the server did not start within {_START_SECONDS:.0f} s")
        return self

    def run(self) -> None:
        """Serve in this thread until SIGINT or SIGTERM, then stop in order.

        The process belongs to the server then, so its garbage collector is told what to expect: thousands of records
        that live for milliseconds and hold no cycles. With Python's defaults it takes half of all CPU time.
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 100)
        self._begin()
        try:
            self._serve()
        finally:
            self.stop()

    def stop(self) -> None:
        """Answer what is being answered, store what waits, close the database; may be called twice."""
        if self._stopped:
            return
        self._stopped = True
        self._uvicorn.should_exit = True
        if self._grpc is not None:
            self._grpc.stop()
        if self._thread is not None:
            self._thread.join(15)
        self.repricing.stop()
        self.retention.stop()
        self.pipeline.stop()
        self._close()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open_grpc(self) -> GrpcReceiver | None:
        if self.config.grpc_port is None:
            return None
        try:
            from otelkit.server.grpc_receiver import GrpcReceiver

            return GrpcReceiver(self.pipeline, Access(self.config.tokens), self.config)
        except ImportError as error:
            self._close()
            raise MissingExtraError("OTLP/gRPC", "grpc") from error
        except OtelkitError:
            self._close()
            raise

    def _close(self) -> None:
        self.database.close()
        self._socket.close()

    def _begin(self) -> None:
        allow_connections()
        self._note_settings()
        self.pipeline.start()
        self.repricing.start()
        self.retention.start()
        if self._grpc is not None:
            self._grpc.start()
        # Reading the price list takes longer than everything else at start, so nobody waits for it.
        threading.Thread(target=warm_up, args=(self._prices,), name="otelkit-prices", daemon=True).start()

    def _note_settings(self) -> None:
        """Before the writer's thread begins: it alone writes from then on."""
        try:
            with self.database.writing() as connection:
                note_settings(connection, self.config)
        except StorageError as error:  # a full disk: what is stored can still be looked at
            _log.warning("what the settings are is not in the audit trail: %s", error)

    def _serve(self) -> None:
        config = self._uvicorn.config
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(self._uvicorn.serve(sockets=[self._socket]))


class _Uvicorn(uvicorn.Server):
    """Says when it answers, and does not raise a signal again that it has obeyed: what is open is closed first."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"port {port} on {host} cannot be used ({error.strerror}): another server may have it "
            f"(`ss -ltnp 'sport = :{port}'` says which); choose another with --port, or --port 0 for any free one"
        ) from error
    return listener
