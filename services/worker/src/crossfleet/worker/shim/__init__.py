"""The small process on a host that owns all runner processes. Standard library only, no threads.

It survives the agent: results wait in its journal until the coordinator has committed them.
"""
