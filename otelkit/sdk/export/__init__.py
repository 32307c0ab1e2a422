"""From a finished span to acknowledged bytes: :mod:`worker` → :mod:`pipeline` → :mod:`lane` → :mod:`transport`."""
