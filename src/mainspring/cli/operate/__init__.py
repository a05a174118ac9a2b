"""Commands for the server's operator: keys, limits, money, caches, routes, logs and traces."""
