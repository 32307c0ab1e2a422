"""Alert rules: when somebody is told, how bad it is, and where the first thing to look at stands."""
