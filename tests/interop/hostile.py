"""What a mapper, or an attacker, may write into OpenStreetMap as the name of a place."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script> Café"
PLACE = "node-268056325"  # the place nearest to team 7
