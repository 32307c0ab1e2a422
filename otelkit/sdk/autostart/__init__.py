"""A folder that ``otelkit run`` puts first on ``PYTHONPATH``: Python imports its ``sitecustomize`` at every start."""
