"""`narrows new`: makes a BFF that starts, is tested and is safe, from a shape or from an upstream's own document.

`facts` says what a person gave, `literals` and `filling` bring it into files without letting it become code, `shapes`
makes the files of a shape, and `writing` puts them down all at once or not at all.
"""
