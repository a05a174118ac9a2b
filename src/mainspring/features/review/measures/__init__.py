"""What labels say: agreement, thresholds, estimates."""
