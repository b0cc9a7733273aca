"""The owner of the truth: state machine, ledger, dispatcher, worker sessions."""
