"""Statistics of measurements: intervals, paired and sequential tests, ratings, agreement, curves, ranking."""
