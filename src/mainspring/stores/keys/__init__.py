"""API keys, credentials and quotas."""
