"""What the agent remembers and decides, without clock, network or messages: a simulation can drive it."""
