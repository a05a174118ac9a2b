"""Speech: transcribers turn audio into text, voices turn text into audio."""
