"""Who gets in: limits, queues and forecasts."""
