"""Where otelkit meets other libraries; nothing here imports one of them before it is there."""
