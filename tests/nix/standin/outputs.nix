# The flake's outputs with stand-in inputs, and what of them can be shown as JSON.
let
  nixpkgs = import ./nixpkgs.nix;
  inherit (nixpkgs) lib;
  self = (import ../../../flake.nix).outputs { inherit self nixpkgs; } // {
    outPath = "/nix/store/source";
  };
  perSystem = show: lib.mapAttrs (_: lib.mapAttrs (_: show));
  withModule =
    module: config:
    (lib.evalModules {
      pkgs = nixpkgs.legacyPackages.x86_64-linux;
      modules = [
        module
        config
      ];
      given.nix.package = nixpkgs.legacyPackages.x86_64-linux.nix;
    }).config;
  agent = withModule self.nixosModules.default {
    services.nixfleet-agent = {
      enable = true;
      url = "https://fleet.example.org";
      tokenFile = "/run/t";
      repository.path = "/etc/nixos";
    };
  };
in
{
  outputs = builtins.attrNames (builtins.removeAttrs self [ "outPath" ]);
  packages = perSystem (package: {
    inherit (package.asked) pname version;
    dependencies = map (d: d.pname) package.asked.dependencies;
  }) self.packages;
  apps = perSystem (app: app.program) self.apps;
  checks = perSystem (check: check.name) self.checks;
  devShells = perSystem (shell: map (p: p.pname or "python3") shell.asked.packages) self.devShells;
  modules = lib.mapAttrs (_: builtins.attrNames) {
    inherit (self) nixosModules darwinModules homeManagerModules homeModules;
  };
  overlay = builtins.attrNames (self.overlays.default nixpkgs.legacyPackages.x86_64-linux { });
  # The module of the flake brings the agent by itself.
  started = agent.systemd.services.nixfleet-agent.serviceConfig.ExecStart;
  nodes = builtins.attrNames self.checks.x86_64-linux.vm.test.nodes;
}
