"""What a data folder holds that can be made again."""
