"""Channels by which customers write: e-mail and webhooks. Each message is kept before it is acknowledged."""
