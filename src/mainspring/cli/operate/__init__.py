"""Commands for whoever runs the server: keys, limits, money, caches, routes, logs and traces."""
