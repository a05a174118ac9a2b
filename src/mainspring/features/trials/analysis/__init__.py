"""What the units of a trial say: verdicts, intervals, guard rails."""
