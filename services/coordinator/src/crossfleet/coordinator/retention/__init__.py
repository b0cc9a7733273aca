"""What is removed by age and number, little by little, so that no commit waits for it."""
