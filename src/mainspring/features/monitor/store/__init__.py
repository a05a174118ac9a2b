"""The monitor's stores: counts of the traffic, and alerts."""
