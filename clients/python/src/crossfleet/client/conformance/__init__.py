"""A conformance kit for schedulers: plays the coordinator against any server of SchedulerService and judges its plans."""
