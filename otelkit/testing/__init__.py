"""Public stand-ins for the outside world: use them in your own tests as otelkit's tests do."""
