"""What runs inside the user's service.

::

    lifecycle      init, flush, shutdown: the public doors
    bootstrap      composes everything below, once a process
    decorators     traced_tool, traced_llm … as decorators and context managers (steps: the live span behind one)
    context        session(), request ids, bind(): who and what the telemetry belongs to
    identity       pseudonyms
    events         track(): product events
    logs           logging → OpenTelemetry log records, JSON lines
    instruments    the catalogue's metrics; own_metrics: a team's own
    processors/    span processors: context at start; tokens, rag, tools at the end
    export/        queue → worker → redaction → encoding → lanes → transports
    integrations/  fastapi, installed instrumentations, structlog, worker processes
"""
