# Adds nixfleet-agent, nixfleet-server, nixfleet-web, nixfleet-client and nixfleet-python.
final: _: import ./packages.nix { inherit (final) lib python3; }
