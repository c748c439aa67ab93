"""RFC 3161 timestamps on papers: what waits for one, who asks for it, and how it is handed out."""
