"""Text with places, in and out: files, documents, diagnostics, schema."""
