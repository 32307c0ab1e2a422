"""The machine, the container and the process (extra ``system``): what is read, who reports it, what it costs."""
