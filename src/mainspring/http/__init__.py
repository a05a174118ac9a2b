"""What every route is made of: access, bodies, pages, errors and idempotency."""
