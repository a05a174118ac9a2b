"""The results of a trial's units: verdicts, intervals, guard rails."""
