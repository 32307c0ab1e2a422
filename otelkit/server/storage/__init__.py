"""The store: schema, one writer, and what each signal keeps.

``schema`` and the queries are SQLAlchemy Core; whatever depends on the database product is behind ``dialect``.
"""
