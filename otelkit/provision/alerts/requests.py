"""Rules for requests, WebSockets, errors and security events."""

from __future__ import annotations

from typing import Final

from otelkit.provision.alerts.definition import ON, AlertRule, Category, Dashboard, Severity, figure, told
from otelkit.provision.alerts.thresholds import Thresholds
from otelkit.provision.promql import SERVICE, Scope, equals, matches, misses, share
from otelkit.semconv.attributes import Core, Errors, Event, Otelkit, Security, WebSocket
from otelkit.semconv.metrics import ErrorMetrics, Metrics, RequestMetrics, SecurityMetrics

__all__ = ["rules"]

_EACH: Final = Scope(window="5m", by=SERVICE)
_ROUTE: Final = (*SERVICE, Core.HTTP_METHOD, Core.HTTP_ROUTE)
_ORDINARY_CLOSES: Final = "1000|1001|1005"  # done, going away, and no code at all: what browsers send


def rules(limits: Thresholds) -> tuple[AlertRule, ...]:
    """Return them."""
    return (
        *_failing(limits),
        _slow(limits),
        *_budgets(limits),
        _websockets(limits),
        *_errors(limits),
        *_security(limits),
    )


def _failing(limits: Thresholds) -> tuple[AlertRule, ...]:
    requests = _EACH.increase(Metrics.HTTP_DURATION)
    failed = _EACH.rate(Metrics.HTTP_DURATION, matches(Core.HTTP_STATUS, "5.."))
    failing = share(failed, _EACH.rate(Metrics.HTTP_DURATION))
    summary = f"{ON}: {figure('humanizePercentage')} of requests fail"
    return (
        AlertRule(
            name="HighErrorRate",
            category=Category.REQUESTS,
            severity=Severity.WARNING,
            expr=(failing > limits.error_share) & (requests >= limits.min_requests),
            summary=summary,
            description="Requests are answered with a status of 500 or above.",
            words=f"more than {limits.error_share:.0%} of requests fail (5xx) for 5 minutes; "
            f"{limits.min_requests} requests or more in 5 minutes",
            dashboard=Dashboard.API,
            explained_by=("VeryHighErrorRate", "ServiceSilent"),
        ),
        AlertRule(
            name="VeryHighErrorRate",
            category=Category.REQUESTS,
            severity=Severity.CRITICAL,
            expr=(failing > limits.error_share_critical) & (requests >= limits.min_requests_critical),
            wait="2m",
            summary=summary,
            description="So many requests are answered with a status of 500 or above that users have noticed.",
            words=f"more than {limits.error_share_critical:.0%} of requests fail (5xx) for 2 minutes; "
            f"{limits.min_requests_critical} requests or more in 5 minutes",
            dashboard=Dashboard.API,
            explained_by=("ServiceSilent",),
        ),
    )


def _slow(limits: Thresholds) -> AlertRule:
    each = Scope(window="10m", by=_ROUTE)
    slow = each.quantile(0.95, Metrics.HTTP_DURATION) > limits.request_p95
    return AlertRule(
        name="SlowRequests",
        category=Category.REQUESTS,
        severity=Severity.WARNING,
        expr=slow & (each.increase(Metrics.HTTP_DURATION) >= limits.min_requests_route),
        by=_ROUTE,
        summary=f"{ON}: p95 of {told(Core.HTTP_METHOD)} {told(Core.HTTP_ROUTE)} is {figure('humanizeDuration')}",
        description="One request in twenty takes longer than this.",
        words=f"p95 of a route above {limits.request_p95:g} s for 5 minutes; "
        f"{limits.min_requests_route} requests or more in 10 minutes",
        dashboard=Dashboard.API,
        explained_by=("ServiceSilent", "SlowModel", "DatabasePoolTimeouts"),
    )


def _budgets(limits: Thresholds) -> tuple[AlertRule, ...]:
    target = (*SERVICE, Otelkit.BUDGET_TARGET, Otelkit.BUDGET_MEASURE)
    each = Scope(by=target)
    used = each.now(RequestMetrics.BUDGET_VALUE, how="max") / each.now(RequestMetrics.BUDGET_LIMIT, how="max")
    place = f"{told(Otelkit.BUDGET_MEASURE)} of {told(Otelkit.BUDGET_TARGET)}"
    summary = f"{ON}: {place} is at {figure('humanizePercentage')} of its budget"
    return (
        AlertRule(
            name="RouteNearBudget",
            category=Category.REQUESTS,
            severity=Severity.INFO,
            expr=used > limits.near,
            wait="10m",
            by=target,
            summary=summary,
            description="A budget that was declared with otelkit.budget or OTELKIT_BUDGETS is nearly used up.",
            words=f"a declared budget (p95, mean, tokens, bytes …) used to more than {limits.near:.0%} for 10 minutes",
            dashboard=Dashboard.API,
            explained_by=("RouteOverBudget",),
        ),
        AlertRule(
            name="RouteOverBudget",
            category=Category.REQUESTS,
            severity=Severity.WARNING,
            expr=used > 1,
            wait="10m",
            by=target,
            summary=summary,
            description="A budget that was declared with otelkit.budget or OTELKIT_BUDGETS is exceeded.",
            words="a declared budget (p95, mean, tokens, bytes …) exceeded for 10 minutes",
            dashboard=Dashboard.API,
            explained_by=("ServiceSilent",),
        ),
    )


def _websockets(limits: Thresholds) -> AlertRule:
    lost = _EACH.happened(RequestMetrics.WEBSOCKET_DISCONNECTS, misses(WebSocket.CLOSE_CODE, _ORDINARY_CLOSES))
    were = _EACH.now(RequestMetrics.WEBSOCKETS) + _EACH.happened(RequestMetrics.WEBSOCKET_DISCONNECTS)
    return AlertRule(
        name="WebSocketDisconnects",
        category=Category.REQUESTS,
        severity=Severity.WARNING,
        expr=(share(lost, were) > limits.disconnect_share) & (were >= limits.min_websockets),
        wait="2m",
        summary=f"{ON}: {figure('humanizePercentage')} of WebSocket connections broke in 5 minutes",
        description="Connections end without a close that either side asked for.",
        words=f"more than {limits.disconnect_share:.0%} of WebSocket connections broke in 5 minutes "
        f"(codes but 1000, 1001, 1005); {limits.min_websockets} connections or more",
        dashboard=Dashboard.USERS,
        explained_by=("ServiceSilent",),
    )


def _errors(limits: Thresholds) -> tuple[AlertRule, ...]:
    kind = (*SERVICE, Core.ERROR_TYPE)
    lately = Scope(window="15m", by=kind)
    unhandled = lately.happened(ErrorMetrics.ERRORS, equals(Errors.UNHANDLED, "true")).sum(*SERVICE).named("round")
    known = lately.over("1d").seen(ErrorMetrics.ERRORS, ago="15m") > 0
    new = (lately.seen(ErrorMetrics.ERRORS) > 0).unless(known)
    return (
        AlertRule(
            name="UnhandledErrors",
            category=Category.ERRORS,
            severity=Severity.WARNING,
            expr=unhandled > limits.unhandled_errors,
            wait="0s",
            summary=f"{ON}: {figure()} unhandled errors in 15 minutes",
            description="Exceptions end requests or jobs.",
            words=f"more than {limits.unhandled_errors} unhandled errors in 15 minutes",
            dashboard=Dashboard.ERRORS,
            explained_by=("VeryHighErrorRate",),
        ),
        AlertRule(
            name="NewError",
            category=Category.ERRORS,
            severity=Severity.INFO,
            expr=new.only_with(_EACH.seen(Metrics.UPTIME, ago="1h"), *SERVICE),
            wait="0s",
            by=kind,
            summary=f"{ON}: first {told(Core.ERROR_TYPE)} in a day",
            description="An error of a type that was not seen in the day before; a release is the usual reason.",
            words="an error of a type not seen in the day before, in a service that has run for an hour",
            dashboard=Dashboard.ERRORS,
        ),
    )


def _security(limits: Thresholds) -> tuple[AlertRule, ...]:
    kind = (*SERVICE, Security.KIND)
    lately = Scope(window="10m", by=kind)
    failures = lately.happened(SecurityMetrics.EVENTS, equals(Event.OUTCOME, "failure")).named("round")
    misused = lately.happened(SecurityMetrics.EVENTS, equals(Security.KIND, "token.misused")).named("round")
    return (
        AlertRule(
            name="SecurityBurst",
            category=Category.SECURITY,
            severity=Severity.CRITICAL,
            expr=failures > limits.security_events,
            wait="0s",
            by=kind,
            summary=f"{ON}: {figure()} times {told(Security.KIND)} in 10 minutes",
            description="Somebody is trying passwords, tokens or addresses, or a client of yours is broken.",
            words=f"more than {limits.security_events} failed security events of one kind in 10 minutes",
            dashboard=Dashboard.ERRORS,
        ),
        AlertRule(
            name="TokenMisused",
            category=Category.SECURITY,
            severity=Severity.WARNING,
            expr=misused > 0,
            wait="0s",
            by=kind,
            summary=f"{ON}: a token was misused ({figure()} times in 10 minutes)",
            description="A token was used that is over, revoked, forged or somebody else's.",
            words="any security event token.misused",
            dashboard=Dashboard.ERRORS,
        ),
    )
