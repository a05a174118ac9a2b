"""Documents as pieces: the text to translate, and the parts that stay as they are."""
