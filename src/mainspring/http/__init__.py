"""Parts of every route: access, bodies, pages, errors and idempotency."""
