"""Finding out what a host has. Each detector is registered under the entry point group `crossfleet.detectors`."""
