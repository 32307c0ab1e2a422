"""One module a section: its questions and orders, each a function that reads parameters and asks ``insights``."""
