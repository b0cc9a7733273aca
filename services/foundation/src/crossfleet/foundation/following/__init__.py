"""Following the leader: which coordinator is asked, and what a caller does when it is gone or sends it elsewhere."""
