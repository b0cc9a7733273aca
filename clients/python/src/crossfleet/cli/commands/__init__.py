"""The subcommands, one module each: `main(arguments)` answers the exit status."""
