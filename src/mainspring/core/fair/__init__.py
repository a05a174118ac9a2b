"""Resources of a process that tenants share in turns."""
