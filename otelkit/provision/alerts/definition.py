"""What a rule says: severity and category decide where it goes, the rest is what people read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from otelkit.provision.promql import SERVICE, Expr, label
from otelkit.semconv.attributes import Core

__all__ = ["HEARTBEAT", "ON", "RUNBOOKS_PAGE", "AlertRule", "Category", "Dashboard", "Severity", "figure", "told"]


class Severity(Enum):
    """How soon somebody has to do something."""

    CRITICAL = "critical"  # now
    WARNING = "warning"  # today
    INFO = "info"  # to know
    NONE = "none"  # never: the heartbeat


class Category(Enum):
    """What it is about; at most one message an hour goes out for a category and severity."""

    REQUESTS = "requests"
    LLM = "llm"
    RETRIEVAL = "retrieval"
    TOOLS = "tools"
    COST = "cost"
    DATABASES = "databases"
    JOBS = "jobs"
    SYSTEM = "system"
    ERRORS = "errors"
    SECURITY = "security"
    PIPELINE = "pipeline"


class Dashboard(Enum):
    """Where to look; the value is the dashboard's uid."""

    API = "otelkit-api"
    LLM = "otelkit-llm"
    MEMORY = "otelkit-memory"
    USERS = "otelkit-users"
    ERRORS = "otelkit-errors"
    SYSTEM = "otelkit-system"
    PIPELINE = "otelkit-pipeline"


HEARTBEAT: Final = "Watchdog"
"""The alert that always fires: whoever no longer hears it knows that alerting itself is broken."""


def figure(function: str = "") -> str:
    """Return the template of an alert's value, written as a function of Prometheus does."""
    return f"{{{{ $value | {function} }}}}" if function else "{{ $value }}"


def told(attribute: str) -> str:
    """Return the template of an attribute's value."""
    return f"{{{{ $labels.{label(attribute)} }}}}"


RUNBOOKS_PAGE: Final = "docs/alerts.md"
"""Where the runbooks are, unless a team says under which address people reach them."""

ON: Final = told(Core.SERVICE_NAME)
"""The service an alert is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert.

    Attributes:
        name: the alert's name, and the anchor of its section in docs/alerts.md.
        expr: fires where it has a result.
        wait: how long it must hold before anybody is told (``for``).
        keep: how long it goes on after it last held, so that what comes and goes is one alert (``keep_firing_for``).
        summary: one line with the figure, a template of Prometheus.
        description: what it means for users, a template of Prometheus.
        words: the condition as the reference page says it.
        by: attributes that tell one alert of the rule from another.
        dashboard: the dashboard to look at.
        explained_by: names of rules that, while they fire, say all that this one would.
    """

    name: str
    category: Category
    severity: Severity
    expr: Expr
    summary: str
    description: str
    words: str
    wait: str = "5m"
    keep: str = "5m"
    by: tuple[str, ...] = SERVICE
    dashboard: Dashboard
    explained_by: tuple[str, ...] = ()
