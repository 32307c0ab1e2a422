"""The whole stack in containers, and a small one for product analytics: compose files and the image of otelkit.

What a container reads is the folder this file is in, the same files that run without containers. Nothing has a default
password: a variable that is not set stops ``docker compose`` and is named. Ports are published on this machine only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from otelkit.provision.collector import profiles
from otelkit.provision.collector.options import Options
from otelkit.provision.collector.variables import Variables
from otelkit.provision.distribution.manifest import VERSION
from otelkit.provision.documents import as_yaml
from otelkit.provision.prometheus.scrape import FLAGS, TOKEN_FILE

__all__ = ["IMAGES", "files"]

IMAGES: Final[Mapping[str, str]] = {
    "collector": f"otel/opentelemetry-collector-contrib:{VERSION}",
    "prometheus": "prom/prometheus:v3.15.0",
    "loki": "grafana/loki:3.7.8",
    "tempo": "grafana/tempo:2.9.0",
    "alertmanager": "prom/alertmanager:v0.28.1",
    "grafana": "grafana/grafana:12.1.0",
    "postgres": "postgres:15.14",
}
"""Pinned; the Collector, Prometheus and Loki are of the versions that this project's tests run."""

_SERVER_PORT: Final = "4318"
_LOOPBACK: Final = "127.0.0.1"
_ANY: Final = "0.0.0.0"  # noqa: S104 - in the containers' network; ports are published on this machine only


@dataclass(frozen=True, slots=True)
class _Health:
    test: Sequence[str]
    interval: str = "10s"
    timeout: str = "5s"
    retries: int = 12
    start_period: str = "20s"


@dataclass(frozen=True, slots=True)
class _Build:
    context: str
    dockerfile: str


@dataclass(frozen=True, slots=True)
class _Service:
    """One container; what is None is not written."""

    image: str | None = None
    build: _Build | None = None
    profiles: Sequence[str] | None = None
    user: str | None = None
    entrypoint: Sequence[str] | None = None
    command: Sequence[str] | None = None
    environment: Mapping[str, str] | None = None
    secrets: Sequence[Mapping[str, str]] | None = None
    volumes: Sequence[str] | None = None
    ports: Sequence[str] | None = None
    depends_on: Mapping[str, Mapping[str, str]] | None = None
    healthcheck: _Health | None = None
    restart: str = "unless-stopped"


@dataclass(frozen=True, slots=True)
class _Stack:
    name: str
    services: Mapping[str, _Service]
    volumes: Mapping[str, None]
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


_BUILD: Final = _Build("..", "collector/otelkit.Dockerfile")
_DEMO: Final = ("demo",)


def files(chosen: Options | None = None) -> Mapping[str, str]:
    """Return both stacks, the Collector's file for them, and the image of otelkit.

    Of the options of the profile ``standard`` those hold that need no address, file or secret from outside.
    """
    return {
        "compose.yaml": as_yaml(_whole(), says=_WHOLE_SAYS),
        "compose.analytics.yaml": as_yaml(_analytics(), says=_ANALYTICS_SAYS),
        "config/compose.yaml": _collector_file(chosen or Options()),
        "otelkit.Dockerfile": _DOCKERFILE,
        "env.example": _environment_example(),
    }


_WHOLE_SAYS: Final = """The whole stack: docker compose -f collector/compose.yaml --env-file .env up
Set the variables of collector/env.example first. With the demo's service: --profile demo."""
_ANALYTICS_SAYS: Final = """Product analytics alone: otelkit on PostgreSQL takes OTLP, shows it and feeds PostHog.
docker compose -f collector/compose.analytics.yaml --env-file .env up"""

_DOCKERFILE: Final = """# The server and the demo's service, from this checkout.
# Packages are those of requirements/dev.txt, by version and hash; of these only what otelkit needs is installed.
FROM python:3.11.14-slim AS packages
COPY requirements/dev.txt ./
RUN pip download --no-cache-dir --require-hashes --no-deps -r dev.txt -d /packages

FROM python:3.11.14-slim
WORKDIR /app
COPY pyproject.toml README.md ./
COPY otelkit otelkit
COPY examples examples
COPY docs docs
RUN --mount=type=bind,from=packages,source=/packages,target=/packages \\
    pip install --no-cache-dir --no-index --find-links /packages '.[all]'
RUN useradd --create-home otelkit && mkdir /data && chown otelkit /data
USER otelkit
ENV XDG_DATA_HOME=/data
ENTRYPOINT ["otelkit"]
CMD ["serve", "--host", "0.0.0.0"]
"""

_SECRETS: Final[Mapping[str, str]] = {
    "OTELKIT_TOKEN": "Administers and sends to the otelkit server: at least 16 characters, made by chance.",
    "OTELKIT_READ_TOKEN": "Looks at the otelkit server; Prometheus scrapes with it.",
    "GRAFANA_ADMIN_PASSWORD": "Of Grafana's user admin.",
    "POSTGRES_PASSWORD": "Of the database of compose.analytics.yaml.",
    "TELE_SALT": "Makes user ids pseudonyms; the same for services and server, kept as long as the data.",
}


def _required(name: str) -> str:
    return f"${{{name}:?{name} is not set, see collector/env.example}}"


def _environment_example() -> str:
    head = ["# What the compose files need. Copy to .env and fill in; nothing has a default.", ""]
    return "\n".join([*head, *(f"# {meaning}\n{name}=" for name, meaning in _SECRETS.items())]) + "\n"


def _collector_file(chosen: Options) -> str:
    options = Options(auth=("server",), server=chosen.server, derived=chosen.derived, names=chosen.names)
    return profiles.render("standard", options)["standard.yaml"]


def _published(*ports: int | str) -> Sequence[str]:
    return [f"{_LOOPBACK}:{port}:{port}" for port in ports]


def _after(**conditions: str) -> Mapping[str, Mapping[str, str]]:
    return {name: {"condition": f"service_{condition}"} for name, condition in conditions.items()}


def _asks(url: str) -> _Health:
    return _Health(["CMD", "wget", "-q", "-O", "-", url])


# --- the whole stack ------------------------------------------------------------------------------------------------


def _whole() -> _Stack:
    services = {
        "collector": _collector(),
        "otelkit": _otelkit(),
        "prometheus": _prometheus(),
        "loki": _loki(),
        "tempo": _tempo(),
        "alertmanager": _alertmanager(),
        "grafana": _grafana(),
        "model": _model(),
        "chatbot": _chatbot(),
    }
    kept = ("queues", "otelkit", "prometheus", "loki", "tempo", "alertmanager", "grafana")
    secrets = {"otelkit-token": {"environment": "OTELKIT_READ_TOKEN"}}
    return _Stack("otelkit", services, dict.fromkeys(kept), secrets)


def _collector() -> _Service:
    """Without a health check: the image holds nothing but the program, so others can only wait for its start."""
    environment = {
        Variables.HOST.name: _ANY,
        Variables.SCRAPE_HOST.name: _ANY,
        Variables.QUEUES.name: "/queues",
        Variables.LOKI.name: "http://loki:3100/otlp",
        Variables.TRACES.name: "http://tempo:4317",
        Variables.SERVER.name: f"http://otelkit:{_SERVER_PORT}",
        Variables.SERVER_TOKEN.name: _required("OTELKIT_TOKEN"),
    }
    return _Service(
        image=IMAGES["collector"],
        user="0",  # a new volume belongs to root, and the image has no program that could change that
        command=["--config=/etc/otelcol/compose.yaml"],
        environment=environment,
        volumes=["./config:/etc/otelcol:ro", "queues:/queues"],
        ports=_published(4317, 4318, 13133),
        depends_on=_after(otelkit="healthy", tempo="started", loki="started"),
    )


def _otelkit() -> _Service:
    return _Service(
        build=_BUILD,
        command=["serve", "--host", _ANY, "--port", _SERVER_PORT],
        environment={name: _required(name) for name in ("OTELKIT_TOKEN", "OTELKIT_READ_TOKEN", "TELE_SALT")},
        volumes=["otelkit:/data"],
        ports=[f"{_LOOPBACK}:4320:{_SERVER_PORT}"],
        healthcheck=_python_asks(f"http://127.0.0.1:{_SERVER_PORT}/healthz"),
    )


def _python_asks(url: str) -> _Health:
    return _Health(["CMD", "python", "-c", f"import urllib.request; urllib.request.urlopen('{url}')"])


def _prometheus() -> _Service:
    return _Service(
        image=IMAGES["prometheus"],
        command=["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus", *FLAGS],
        secrets=[{"source": "otelkit-token", "target": f"/etc/prometheus/{TOKEN_FILE}"}],
        volumes=[
            # One by one: below a folder that is mounted read-only there is no place for the secret.
            *(f"./prometheus/{part}:/etc/prometheus/{part}:ro" for part in ("prometheus.yml", "rules", "targets")),
            "prometheus:/prometheus",
        ],
        ports=_published(9090),
        healthcheck=_asks("http://127.0.0.1:9090/-/ready"),
    )


def _loki() -> _Service:
    return _Service(
        image=IMAGES["loki"],
        command=["-config.file=/etc/loki/loki.yaml", "-config.expand-env=true"],
        volumes=["./loki:/etc/loki:ro", "loki:/loki"],
        ports=_published(3100),
        healthcheck=_Health(["CMD", "/usr/bin/loki", "-health"]),
    )


def _tempo() -> _Service:
    return _Service(
        image=IMAGES["tempo"],
        command=["-config.file=/etc/tempo/tempo.yaml", "-config.expand-env=true"],
        volumes=["./tempo:/etc/tempo:ro", "tempo:/var/tempo"],
        ports=_published(3200),
    )


def _alertmanager() -> _Service:
    return _Service(
        image=IMAGES["alertmanager"],
        command=["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"],
        volumes=["./alertmanager:/etc/alertmanager:ro", "alertmanager:/alertmanager"],
        ports=_published(9093),
        healthcheck=_asks("http://127.0.0.1:9093/-/ready"),
    )


def _grafana() -> _Service:
    environment = {
        "GF_SECURITY_ADMIN_PASSWORD": _required("GRAFANA_ADMIN_PASSWORD"),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "OTELKIT_GRAFANA_PROMETHEUS": "http://prometheus:9090",
        "OTELKIT_GRAFANA_LOKI": "http://loki:3100",
        "OTELKIT_GRAFANA_TRACES": "http://tempo:3200",
        "OTELKIT_GRAFANA_DASHBOARDS": "/etc/grafana/dashboards",
    }
    return _Service(
        image=IMAGES["grafana"],
        environment=environment,
        volumes=[
            "./grafana/provisioning:/etc/grafana/provisioning:ro",
            "./grafana/dashboards:/etc/grafana/dashboards:ro",
            "grafana:/var/lib/grafana",
        ],
        ports=_published(3000),
        depends_on=_after(prometheus="healthy", loki="started", tempo="started"),
        healthcheck=_asks("http://127.0.0.1:3000/api/health"),
    )


def _model() -> _Service:
    return _Service(
        build=_BUILD,
        profiles=_DEMO,
        entrypoint=["python", "-m", "otelkit.testing.openai_server"],
        command=["--host", _ANY, "--port", "8089"],
        healthcheck=_python_asks("http://127.0.0.1:8089/ledger"),
    )


def _chatbot() -> _Service:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTELKIT_AUDIT_ENDPOINT": f"http://otelkit:{_SERVER_PORT}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{_required('OTELKIT_TOKEN')}",
        "OTELKIT_ENVIRONMENT": "demo",
        "OPENAI_BASE_URL": "http://model:8089/v1",
        "OPENAI_API_KEY": "none",  # the stand-in asks for none
        "TELE_SALT": _required("TELE_SALT"),
    }
    return _Service(
        build=_BUILD,
        profiles=_DEMO,
        entrypoint=["python", "-m", "uvicorn", "rag_chatbot.app:app", "--app-dir", "/app/examples"],
        command=["--host", _ANY, "--port", "8000"],
        environment=environment,
        ports=_published(8000),
        depends_on=_after(model="healthy", collector="started"),
        healthcheck=_python_asks("http://127.0.0.1:8000/health"),
    )


# --- product analytics alone -----------------------------------------------------------------------------------------


def _analytics() -> _Stack:
    database = f"postgresql://otelkit:{_required('POSTGRES_PASSWORD')}@postgres:5432/otelkit"
    alone = _otelkit()
    server = replace(
        alone,
        environment={**(alone.environment or {}), "OTELKIT_DATABASE_URL": database},
        volumes=None,
        ports=_published(_SERVER_PORT),
        depends_on=_after(postgres="healthy"),
    )
    postgres = _Service(
        image=IMAGES["postgres"],
        environment={
            "POSTGRES_USER": "otelkit",
            "POSTGRES_DB": "otelkit",
            "POSTGRES_PASSWORD": _required("POSTGRES_PASSWORD"),
        },
        volumes=["postgres:/var/lib/postgresql/data"],
        healthcheck=_Health(["CMD", "pg_isready", "-U", "otelkit"]),
    )
    return _Stack("otelkit-analytics", {"otelkit": server, "postgres": postgres}, {"postgres": None})
