"""The ledger: one writer commits facts in batches; everything else reads what is committed."""
