"""What Alertmanager reads: who is told what, how often, and in which words."""
