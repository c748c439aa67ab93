"""Who is there, by what credential they speak, and what each may do to what."""
