"""What `crossfleet reproduce` does: the order in which a case failed, replayed here and shrunk."""
