"""The JSON API: parameters in, one question of ``insights`` each, JSON out. Its contract is ``docs/server.md``."""
