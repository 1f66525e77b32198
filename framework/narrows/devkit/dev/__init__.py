"""What `narrows dev` runs: a BFF with made-up people and upstreams, pages to try it, and reload on change."""
