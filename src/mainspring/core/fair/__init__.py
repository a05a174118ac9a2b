"""What tenants share within a process, in turns."""
