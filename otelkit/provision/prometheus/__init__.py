"""What Prometheus reads: whom it scrapes, which series it derives and when it raises an alert."""
