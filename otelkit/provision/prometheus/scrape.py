"""``prometheus.yml``: whom Prometheus scrapes and where its alerts go.

Addresses stand in files of their own (``targets/``), which Prometheus reads again when they change: another host or
port is another targets file, the configuration stays the one that was tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otelkit.provision.documents import as_yaml

__all__ = ["COLLECTOR", "FLAGS", "RETENTION_DAYS", "SERVER", "SERVICES", "TOKEN_FILE", "files"]

SERVICES: Final = "services"
COLLECTOR: Final = "collector"
SERVER: Final = "otelkit"
"""Names of scrape jobs that rules ask for."""

RETENTION_DAYS: Final = 30

FLAGS: Final = (
    f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
    "--enable-feature=exemplar-storage",  # or a slow bucket leads to no trace
    "--web.enable-remote-write-receiver",  # gateways push, see the gateway profile
)
"""What the configuration file cannot say."""

TOKEN_FILE: Final = "secrets/otelkit-token"
"""Where the token for the server lies, below the configuration's folder."""

_INTERVAL: Final = "15s"


@dataclass(frozen=True, slots=True)
class _Job:
    """Who is scraped; ``labels`` says whether the labels that the target sends stand or move to ``exported_…``."""

    name: str
    says: str
    port: int
    host: str
    sends_labels: bool = False
    token: bool = False

    @property
    def targets(self) -> str:
        return f"targets/{self.name}.yaml"


# `service` first: what services sent through the Collector has job and instance of the service, not of the Collector.
_JOBS: Final = (
    _Job(SERVICES, "what services sent to the Collector", 9464, "collector", sends_labels=True),
    _Job(COLLECTOR, "the Collector's own metrics", 8888, "collector"),
    _Job(SERVER, "the server: users, conversations, delivery", 4318, "otelkit", token=True),
    _Job("prometheus", "Prometheus itself", 9090, "prometheus"),
    _Job("alertmanager", "Alertmanager itself", 9093, "alertmanager"),
    _Job("loki", "Loki itself", 3100, "loki"),
)
_ALERTMANAGER: Final = _JOBS[4]


def files() -> Mapping[str, str]:
    """Return the configuration and one file of addresses for each job."""
    says = "Whom Prometheus scrapes. The addresses are in targets/, one file a job, and may be changed while it runs."
    made = {"prometheus/prometheus.yml": as_yaml(_configuration(), says=says)}
    for job in _JOBS:
        content = [{"targets": [f"{job.host}:{job.port}"]}]
        made[f"prometheus/{job.targets}"] = as_yaml(content, says=f"Where to scrape {job.says}.")
    return made


def _configuration() -> Mapping[str, Any]:
    return {
        "global": {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL},
        "rule_files": ["rules/*.yaml"],
        "alerting": {"alertmanagers": [{"file_sd_configs": [{"files": [_ALERTMANAGER.targets]}]}]},
        # What came late through the Collector's queue is still taken.
        "storage": {"tsdb": {"out_of_order_time_window": "30m"}, "exemplars": {"max_exemplars": 100_000}},
        "scrape_configs": [_scrape(job) for job in _JOBS],
    }


def _scrape(job: _Job) -> Mapping[str, Any]:
    made: dict[str, Any] = {"job_name": job.name}
    if job.sends_labels:
        made["honor_labels"] = True
    if job.token:
        made["authorization"] = {"type": "Bearer", "credentials_file": TOKEN_FILE}
    return {**made, "file_sd_configs": [{"files": [job.targets]}]}
