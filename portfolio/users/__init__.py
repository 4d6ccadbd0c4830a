"""Who owns what: for now one local owner, later logins and roles."""
