"""The default scheduler: a pure planning core behind the Scheduler protocol."""
