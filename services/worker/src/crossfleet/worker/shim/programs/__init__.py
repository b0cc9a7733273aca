"""Programs that can be asked for their cases and told which to execute. Each module is one kind, pure: words in, words out."""
