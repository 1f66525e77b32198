"""The world around the Where2Eat BFF: three production APIs of other teams, and the people who work there."""
