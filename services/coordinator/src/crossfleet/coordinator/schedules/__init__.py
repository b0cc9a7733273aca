"""Schedules: when their times are, and the leader's task that keeps them."""
