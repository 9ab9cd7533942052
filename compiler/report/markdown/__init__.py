"""Reports as Markdown, for GitHub."""
