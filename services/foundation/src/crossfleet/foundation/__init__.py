"""What every service shares: serving, configuration, errors, channels, telemetry."""
