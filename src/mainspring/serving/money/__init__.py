"""What calls cost, and who pays."""
