"""Articles, notebooks and research as rows."""
