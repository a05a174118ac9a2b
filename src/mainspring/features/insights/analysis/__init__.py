"""Analysis of turns and conversations: pure functions over arrays, texts and facts."""
