"""The gateway: REST, metrics and connectors."""
