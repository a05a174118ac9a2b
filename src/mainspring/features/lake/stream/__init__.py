"""The stream from the event log to the raw and the clean zone."""
