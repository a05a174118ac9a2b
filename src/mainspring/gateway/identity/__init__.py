"""Access: keys, tokens, quotas, policies and presets."""
