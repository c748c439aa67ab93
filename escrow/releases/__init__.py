"""Release requests: what is asked, objected, confirmed, decided and handed over."""
