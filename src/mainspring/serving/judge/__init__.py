"""What reads answers while they stream."""
