"""What every room may import: errors, nouns, settings, the ring mechanism and the extension point."""
