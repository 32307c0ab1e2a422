"""The Collector's configuration: profiles made of pipelines of typed components, and what is checked in any file.

Read :mod:`profiles` first: it says what goes where. What a pipeline is made of stands beside it, a subject a module.
"""
