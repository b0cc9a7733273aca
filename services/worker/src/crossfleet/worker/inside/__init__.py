"""Runs inside the suite's own interpreter: standard library and pytest only, Python 3.8 and up.

The folder is loaded by path under a private package name (see ``pytest_zygote``), so that ``sys.path`` of the suite
stays what pytest itself would give it.
"""
