"""The event log as watchers see it: stored, then live, without gap or repetition."""
