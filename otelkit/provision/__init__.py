"""What runs beside a service, as code: the Collector's configuration, rules, dashboards, compose files.

Each room gives its files as text made from typed records; :mod:`otelkit.provision.tree` puts them together as the
folder ``collector/``. Nothing here starts, asks or sends anything.
"""
