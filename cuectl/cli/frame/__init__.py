"""What every command stands on: parsing, output, failures, help."""
