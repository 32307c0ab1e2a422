"""Grafana dashboards: what each shows as typed records, a module a dashboard, and one renderer for all."""
