"""The BFFs of this repository, one folder each, the same names in each."""
