"""From a document to names and numbers: what the text of a spec means."""
