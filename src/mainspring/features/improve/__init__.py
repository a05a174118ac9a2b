"""The loop: it turns feedback into better served applications automatically, and every step can be traced and
undone."""
