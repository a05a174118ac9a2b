"""Tool calls that wait for approval."""
