"""Alerts and pings: raising, clearing and delivering them."""
