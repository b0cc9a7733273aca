"""What can be read of how quiet a host is: heat, clocks, load, pressure, GPUs. Standard library, and NVML where it is."""
