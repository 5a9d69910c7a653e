"""The dashboard: one HTML file that needs nothing from outside."""
