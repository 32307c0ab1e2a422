"""Pure functions between conventions and formats: no environment, no clock, no I/O, and they never change their input.

Import from the module that owns the thing: ``otlp`` (wire format), ``genai`` (one vocabulary for three conventions),
``counting`` (each call once), ``cost``, ``redaction``, ``metrics``.
"""
