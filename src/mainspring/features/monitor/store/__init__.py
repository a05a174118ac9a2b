"""What the monitor keeps: counts of the traffic, and alerts."""
