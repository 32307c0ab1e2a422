"""The catalogue: every attribute, span, metric and event name, once.

- :mod:`otelkit.semconv.attributes`: attribute names with their source.
- :mod:`otelkit.semconv.metrics`: one :class:`MetricDef` an instrument.
- :mod:`otelkit.semconv.events`: one :class:`EventDef` a product event.

The reference pages in ``docs/`` are generated from here (``make docs``) and compared in tests.
"""
