"""The only package that opens paths under the state directory."""
