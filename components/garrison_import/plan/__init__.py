"""What the program says: every workload and edge in Garrison's words, and what of them it cannot say."""
