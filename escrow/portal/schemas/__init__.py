"""What the routes take: the shapes of request bodies, one module a room."""
