"""Databases: spans through their OpenTelemetry instrumentations (extra ``databases``), pools by what they tell.

Each library is instrumented where the application imports it, so that one it never uses costs nothing.
"""
