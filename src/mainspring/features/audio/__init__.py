"""Speech over HTTP: transcriptions, translations, and text to speech."""
