"""The version, and the date that the manual pages carry. `make release` changes both."""

VERSION = "0.1.0"
DATE = "2026-11-21"
