"""Who may do what: keys, tokens, quotas, policies and presets."""
