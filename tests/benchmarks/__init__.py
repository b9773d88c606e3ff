"""What is measured, not tested: speed and memory beside their peers (`make bench`), whether results stay the same."""
