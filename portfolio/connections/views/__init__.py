"""What browsers see of connections and gateways."""
