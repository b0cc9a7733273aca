"""Sessions of workers: leases, reports up, orders down."""
