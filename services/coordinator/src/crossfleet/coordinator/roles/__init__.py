"""To lead or to follow: who answers which call, and how a coordinator goes from one to the other."""
