"""A small Collector distribution: what is in it, at which versions, and building it."""
