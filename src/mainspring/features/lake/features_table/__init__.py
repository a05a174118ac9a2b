"""The feature table: what is known of users and documents, now and as of any time."""
