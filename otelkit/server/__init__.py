"""What runs beside the service: receives OTLP, keeps it in one file, and answers questions about it.

``receivers`` → ``pipeline`` (one writer thread, group commit) → ``storage`` ← ``insights`` (the questions) ← ``api``
← page.
"""
