"""What a tenant wants of the loop for one application, as data, and when it begins."""
