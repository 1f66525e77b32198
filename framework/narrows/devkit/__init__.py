"""What a developer's machine runs and production never imports: the embedded authorization server and its helpers."""
