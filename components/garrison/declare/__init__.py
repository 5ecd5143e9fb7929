"""The pen: a program adds statements; they are checked as a whole and frozen into the model."""
