"""Speech over HTTP: transcriptions, translations, and texts that are spoken."""
