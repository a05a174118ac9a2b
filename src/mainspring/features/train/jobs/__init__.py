"""Jobs of training, and the processes that do them."""
