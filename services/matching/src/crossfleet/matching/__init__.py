"""The resource model, and whether a request fits a device."""
