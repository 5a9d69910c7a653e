"""The commands about other machines: look at them, be one of them."""
