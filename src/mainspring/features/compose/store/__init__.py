"""What is kept: suggestions with what came of them, and persons' own phrases."""
