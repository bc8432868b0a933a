"""Helpers of the integration tests and of the demo: README.md says how to use them."""
